"""An app served by both of uvicorn's ways, for tests that compare them: ASGI alone, and the short way."""

import asyncio
import contextlib
import contextvars
import socket
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from types import SimpleNamespace

import uvicorn
from msgspec import Struct

from levada import App, Caller, Problem, Settings, SystemAPI, current, effect, http
from levada.app.identity import Issuer

SECRET = "a secret of the tests that is long enough for HS256"
SHORT, ASGI = "levada.app.uvicorn:HttpProtocol", "httptools"
BASE = "/sales/things/v1"
left = contextvars.ContextVar("left", default="nothing")


class Thing(Struct, frozen=True):
    id: str
    price: Decimal
    tags: tuple[str, ...] = ()


class NoThing(Problem, status=404, detail="No thing {id}."):
    """There is none."""

    id: str


class Seen(Struct, frozen=True):
    subject: str
    method: str
    consumer: str
    key: str | None
    trace: str
    state: str | None
    left: int
    attempt: int


class Things(SystemAPI, domain="sales", version="1.0"):
    @http.get("/things/{id}", raises=[NoThing])
    @abstractmethod
    async def thing(self, id: str) -> Thing: ...

    @http.get("/things/{id}/parts/{number}")
    @abstractmethod
    async def part(self, id: str, number: int) -> Thing: ...

    @http.get("/things")
    @abstractmethod
    async def things(self, limit: int = 2, tags: tuple[str, ...] = ()) -> list[Thing]: ...

    @http.get("/found")
    @abstractmethod
    async def found(self, text: str, days: tuple[date, ...] = ()) -> list[Thing]: ...

    @http.post("/things", status=201)
    @abstractmethod
    async def add(self, thing: Thing) -> Thing: ...

    @http.put("/things/{id}", scopes=["things:write"])
    @abstractmethod
    async def put(self, id: str, price: Decimal, tags: tuple[str, ...] = ()) -> Thing: ...

    @http.delete("/things/{id}")
    @abstractmethod
    async def remove(self, id: str) -> None: ...

    @http.put("/files/{name}")
    @abstractmethod
    async def upload(self, name: str, content: bytes) -> int: ...

    @http.get("/files/{size}")
    @abstractmethod
    async def download(self, size: int) -> bytes: ...

    @http.get("/every")
    @abstractmethod
    def every(self, count: int = 3) -> AsyncIterator[Thing]: ...

    @http.post("/seen")
    @abstractmethod
    async def seen(self) -> Seen: ...

    @http.get("/waits/{how}")
    @abstractmethod
    async def waits(self, how: str) -> str: ...

    @http.get("/fails/{how}")
    @abstractmethod
    async def fails(self, how: str) -> Thing: ...

    @http.get("/bounded", timeout=0.05)
    @abstractmethod
    async def bounded(self) -> str: ...


class Memory(Things):
    def __init__(self) -> None:
        self.tasks: list[asyncio.Task] = []
        self.gate = asyncio.Event()
        self.done: list[str] = []

    async def thing(self, id: str) -> Thing:
        if id.startswith("x"):
            raise NoThing(id=id)
        return Thing(id, Decimal("1.50"), ("a", "b"))

    async def part(self, id: str, number: int) -> Thing:
        return Thing(f"{id}/{number}", Decimal(number))

    async def things(self, limit: int = 2, tags: tuple[str, ...] = ()) -> list[Thing]:
        return [Thing(str(n), Decimal(n), tags) for n in range(limit)]

    async def found(self, text: str, days: tuple[date, ...] = ()) -> list[Thing]:
        return [Thing(text, Decimal(len(days)))]

    @effect.at_least_once("in memory")
    async def add(self, thing: Thing) -> Thing:
        self.done.append(thing.id)
        return thing

    @effect.at_least_once("in memory")
    async def put(self, id: str, price: Decimal, tags: tuple[str, ...] = ()) -> Thing:
        return Thing(id, price, tags)

    @effect.at_least_once("in memory")
    async def remove(self, id: str) -> None:
        self.done.append(id)

    @effect.at_least_once("in memory")
    async def upload(self, name: str, content: bytes) -> int:
        return len(content)

    async def download(self, size: int) -> bytes:
        return b"x" * size

    async def every(self, count: int = 3) -> AsyncIterator[Thing]:
        for number in range(count):
            if number == 7:
                raise NoThing(id="7")
            yield Thing(str(number), Decimal(number))

    @effect.at_least_once("in memory")
    async def seen(self) -> Seen:
        context = current()
        left = context.deadline - asyncio.get_running_loop().time()
        trace = context.trace_id if context.received else ""
        return Seen(
            context.caller.subject,
            context.caller.method,
            context.consumer,
            context.key,
            trace,
            context.tracestate,
            round(left),
            context.attempt,
        )

    async def waits(self, how: str) -> str:  # noqa: C901 - one way of waiting after the other
        before = asyncio.current_task()
        self.tasks.append(before)
        token = left.set(how)
        match how:
            case "turn":
                await asyncio.sleep(0)
            case "short":
                await asyncio.sleep(0.001)
            case "group":
                async with asyncio.TaskGroup() as group:
                    one, two = group.create_task(asyncio.sleep(0, "1")), group.create_task(self.waits("turn"))
                assert (one.result(), two.result()) == ("1", "turn")
            case "timeout":
                try:
                    async with asyncio.timeout(0.001):
                        await asyncio.Event().wait()
                except TimeoutError:
                    how = "timed out"
            case "at once":
                try:
                    async with asyncio.timeout(0):
                        await asyncio.Event().wait()
                except TimeoutError:
                    how = "timed out at once"
            case "itself":
                before.cancel()
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    before.uncancel()
                    how = "cancelled itself"
            case "unseen":
                before.cancel()
            case "gate":
                await self.gate.wait()
            case "for ever":
                try:
                    await asyncio.Event().wait()
                finally:
                    self.done.append("cancelled")
        assert asyncio.current_task() is before
        left.reset(token)
        return how

    async def fails(self, how: str) -> Thing:
        if how == "exit":
            raise asyncio.CancelledError
        if how == "leaves":
            # A variable that is set and left is this request's alone.
            was = left.get()
            left.set("something")
            return Thing(was, Decimal(0))
        raise RuntimeError("a secret of the implementation")

    async def bounded(self) -> str:
        await asyncio.Event().wait()
        return "never"


def app(**settings) -> App:
    return App(
        Memory,
        settings=Settings(**{"environment": "test", "identity": SECRET, "body_limit": 100_000, **settings}),
    )


def token(*scopes: str) -> bytes:
    caller = Caller(
        subject="anna", client="phone", scopes=frozenset(scopes), environment="test", method="oidc"
    )
    return Issuer(SECRET, "test").token(caller, "sales/Shop/v1").encode()


@contextlib.asynccontextmanager
async def serving(app: App, way: str, sockets=(), **options):
    """The app at a port of its own, and at other sockets."""
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app,
        **{
            "http": way,
            "log_config": None,
            "access_log": False,
            "lifespan": "on",
            "date_header": False,
            "timeout_graceful_shutdown": 5,
            "timeout_keep_alive": 1,
            **options,
        },
    )
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext
    task = asyncio.create_task(server.serve([listening, *sockets]))
    try:
        while not server.started:
            await asyncio.sleep(0)
        yield SimpleNamespace(port=listening.getsockname()[1], app=app, server=server, task=task)
    finally:
        server.should_exit = True
        await task


class Answer(bytes):
    """What came back; ``cut``: the connection was reset, which takes with it what had not been read."""

    cut = False


async def exchange(port: int, *pieces: bytes) -> Answer:
    """All that comes back for these pieces until the connection is closed; the last has to see to that."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    parts: list[bytes] = []

    async def read() -> bool:
        try:
            while part := await reader.read(1 << 16):
                parts.append(part)
        except ConnectionError:
            return True
        return False

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        reading = group.create_task(read())
        for piece in pieces:
            with contextlib.suppress(ConnectionError):
                writer.write(piece)
                # So that each is a read of its own: what was sent is taken before the next is.
                await writer.drain()
                await asyncio.sleep(0.002 if len(pieces) > 1 else 0)
    writer.close()
    answer = Answer(b"".join(parts))
    answer.cut = reading.result()
    return answer


LAST = b"GET /nowhere HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n"


def counted(app: App) -> dict[tuple[str, str, str], tuple]:
    """The call records without their times."""
    return {
        (r.consumer, r.client, r.operation): (
            r.ok,
            r.caller,
            r.declared,
            r.provider,
            tuple(sorted(r.problems.items())),
        )
        for r in app.recorder.drain()
    }
