"""A contract kept elsewhere, when the wire or the service behind it is in trouble: a real socket that follows a script."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from msgspec import Struct

from levada import Settings, SystemAPI, http
from levada.app.binding import Remote
from levada.app.client import RemoteAPI
from levada.app.context import Context, _current
from levada.app.outcome import Refusal
from levada.app.proxy import Target
from levada.contract import contract_of
from levada.contract.standard import DeadlineExceeded, InternalError, NotSent, Unavailable

OK = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 16\r\n\r\n{"id":"1","n":2}'
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nlevada-problem: unavailable\r\n"
    b"content-type: application/problem+json\r\ncontent-length: 2\r\n\r\n{}"
)
SILENT, CUT = b"", b"cut"


class Thing(Struct, frozen=True):
    id: str
    n: int


class Things(SystemAPI, domain="test", version="1.0"):
    """Things elsewhere."""

    @http.get("/things/{id}")
    @abstractmethod
    async def thing(self, id: str) -> Thing: ...

    @http.post("/things")
    @abstractmethod
    async def add(self, thing: Thing) -> Thing: ...

    @http.get("/all")
    @abstractmethod
    def all(self) -> AsyncIterator[int]: ...


class Service:
    """Gives the answers of a script, one for each request; the last one again and again."""

    def __init__(self, *script: bytes) -> None:
        self.script = list(script)
        self.asked: list[str] = []
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                if "content-length: " in head:
                    await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
                self.asked.append(head.split(" http/")[0])
                answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                if answer is CUT:
                    return
                writer.write(answer)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def calling(service: Callable[..., object], *, retries: int = 2, timeout: float = 10.0):
    """The operations of a client of a service on a port of its own."""
    server = await asyncio.start_server(service, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    contract = contract_of(Things)
    bound = Remote(url=f"http://127.0.0.1:{port}", retries=retries, timeout=timeout)
    remote = RemoteAPI(contract, bound, Settings(environment="test"))
    await remote.start()
    try:
        yield remote.targets(contract)
    finally:
        await remote.stop()
        server.close()


async def ask(targets: dict[str, Target], name: str = "thing", argument: object = "1") -> object:
    return await targets[name](argument)


async def test_a_kept_connection_serves_again_also_after_a_problem():
    service = Service(OK, BUSY, OK)
    async with calling(service, retries=0) as targets:
        assert await ask(targets) == Thing("1", 2)
        with pytest.raises(Unavailable):
            await ask(targets)
        assert await ask(targets) == Thing("1", 2)
    assert service.connections == 1


@pytest.mark.parametrize("trouble", [CUT, BUSY])
async def test_what_is_safe_is_asked_again(trouble: bytes):
    service = Service(trouble, trouble, OK)
    async with calling(service) as targets:
        assert await ask(targets) == Thing("1", 2)
    assert len(service.asked) == 3


@pytest.mark.parametrize("trouble", [CUT, BUSY])
async def test_what_is_not_safe_is_sent_once(trouble: bytes):
    service = Service(trouble, OK)
    async with calling(service) as targets:
        with pytest.raises(Unavailable):
            await ask(targets, "add", Thing("1", 2))
    assert service.asked == ["post /test/things/v1/things"]


async def test_what_is_not_safe_is_sent_again_where_nobody_listened():
    service = Service(OK)
    server = await asyncio.start_server(service, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    contract = contract_of(Things)
    remote = RemoteAPI(
        contract, Remote(url=f"http://127.0.0.1:{port}", retries=1), Settings(environment="test")
    )
    await remote.start()
    try:
        with pytest.raises(Refusal) as refused:
            await ask(dict(remote.targets(contract)), "add", Thing("1", 2))
        assert isinstance(refused.value.problem, NotSent)
        assert remote.budget._balance == 9.0  # one retry was taken from it
    finally:
        await remote.stop()


async def test_a_silent_service_ends_with_the_time_of_the_binding():
    service = Service(SILENT)
    async with calling(service, retries=0, timeout=0.1) as targets:
        with pytest.raises(DeadlineExceeded):
            await ask(targets)
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0  # the cancellation is taken back: what follows may wait again
        await asyncio.sleep(0)


async def test_a_silent_service_ends_with_the_deadline_of_the_caller():
    async with calling(Service(SILENT)) as targets:
        token = _current.set(Context(deadline=asyncio.get_running_loop().time() + 0.1))
        try:
            with pytest.raises(DeadlineExceeded):
                await ask(targets)
        finally:
            _current.reset(token)


async def test_what_came_too_late_is_not_taken_for_the_next_answer():
    service = Service(SILENT, OK)
    async with calling(service, retries=0, timeout=0.1) as targets:
        with pytest.raises(DeadlineExceeded):
            await ask(targets)
        assert await ask(targets) == Thing("1", 2)
    assert service.connections == 2


async def test_a_time_limit_around_the_call_is_the_callers_own():
    async with calling(Service(SILENT)) as targets:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask(targets)


async def test_whoever_is_cancelled_hears_it_as_cancellation():
    service = Service(SILENT)
    async with calling(service, timeout=0.2) as targets:
        task = asyncio.create_task(ask(targets))
        while not service.asked:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_who_is_cancelled_when_the_time_is_up_stays_cancelled():
    """Both at once: the time-out is ours, the other cancellation is not to be lost."""
    service = Service(SILENT)
    async with calling(service, timeout=0.05, retries=0) as targets:
        task = asyncio.create_task(ask(targets))
        while not task.cancelling():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_many_calls_under_way_each_end_in_their_own_time():
    answered = asyncio.Event()

    async def some(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"/things/slow" not in head:
            await answered.wait()
            writer.write(OK)
        else:
            await reader.read()
        writer.close()

    async with calling(some, retries=0, timeout=0.2) as targets:
        slow = [asyncio.create_task(ask(targets, argument="slow")) for _ in range(5)]
        quick = [asyncio.create_task(ask(targets)) for _ in range(5)]
        await asyncio.sleep(0.01)
        answered.set()
        assert await asyncio.gather(*quick) == [Thing("1", 2)] * 5
        ended = await asyncio.gather(*slow, return_exceptions=True)
        assert [type(e) for e in ended] == [DeadlineExceeded] * 5


async def test_an_answer_that_is_not_of_the_contract_is_an_error_of_the_service():
    wrong = OK.replace(b'"n":2', b'"n":x')
    async with calling(Service(wrong)) as targets:
        with pytest.raises(Exception, match="does not allow") as caught:
            await ask(targets)
        problem = getattr(caught.value, "problem", caught.value)
        assert isinstance(problem, InternalError)


async def test_a_stream_that_is_cut_says_so():
    begun = (
        b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\nconnection: close\r\n\r\n"
        b'{"item":1}\n{"item":2}\n'
    )

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(begun)
        writer.close()

    got: list[int] = []
    async with calling(cut) as targets:
        with pytest.raises(Unavailable, match="cut"):
            async for item in targets["all"]():  # type: ignore[attr-defined]
                got.append(item)  # noqa: PERF401 - what came before the cut counts
    assert got == [1, 2]
