"""Three layers that the arrangements serve: all in one process, each in its own, mixed.

Run as a program it serves some of them: ``python arranged.py PARTS BIND HTTP``, where HTTP is
uvicorn's option; it prints its port.
"""

import asyncio
import json
import sys
from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from levada import (
    App,
    ExperienceAPI,
    Page,
    Problem,
    ProcessAPI,
    Settings,
    SystemAPI,
    blocking,
    current,
    effect,
    http,
)
from levada.contract.standard import InternalError

SECRET = "a secret of the tests that is long enough for HS256"


class Customer(Struct, frozen=True):
    id: str
    name: str
    limit: Decimal
    since: datetime
    tags: tuple[str, ...] = ()


class Hold(Struct, frozen=True):
    id: str
    amount: Decimal


class Seen(Struct, frozen=True):
    """What the innermost layer saw of the call."""

    caller: str
    scopes: tuple[str, ...]
    trace: str
    consumer: str
    left: float
    key: str | None


class Basket(Struct):
    """Not frozen: what a callee does to it must not reach the caller."""

    lines: list[int]


class CustomerNotFound(Problem, status=404, detail="No customer {id}."):
    """No customer has this id."""

    id: str


class Blocked(CustomerNotFound, status=409):
    """The customer is blocked."""

    since: datetime


class Customers(SystemAPI, domain="sales", version="1.0"):
    """Customers."""

    @http.get("/customers/{id}", raises=[CustomerNotFound])
    @abstractmethod
    async def customer(self, id: str) -> Customer: ...

    @http.get("/customers")
    @abstractmethod
    async def page(
        self, cursor: str | None = None, tags: tuple[str, ...] = (), limit: int = 2
    ) -> Page[Customer]: ...

    @http.get("/listed")
    @abstractmethod
    async def listed(
        self,
        state: str | None,
        tags: tuple[str, ...],
        to: str | None = None,
        ids: frozenset[int] = frozenset(),
    ) -> str: ...

    @http.post("/quiet")
    @abstractmethod
    async def quiet(self, how: str) -> None: ...

    @http.get("/every")
    @abstractmethod
    def every(self, count: int = 3) -> AsyncIterator[Customer]: ...

    @http.post("/customers/{id}/holds", status=201, raises=[Blocked], scopes=["holds:write"])
    @abstractmethod
    async def hold(self, id: str, amount: Decimal) -> Hold: ...

    @http.put("/files/{name}")
    @abstractmethod
    async def upload(self, name: str, content: bytes) -> int: ...

    @http.get("/files/{name}")
    @abstractmethod
    async def download(self, name: str) -> bytes: ...

    @http.get("/seen")
    @abstractmethod
    async def seen(self) -> Seen: ...

    @http.post("/mend")
    @abstractmethod
    async def mend(self, basket: Basket) -> Basket: ...

    @http.get("/wrong")
    @abstractmethod
    async def wrong(self, how: str) -> Customer: ...

    @http.get("/slow")
    @abstractmethod
    async def slow(self, seconds: float) -> None: ...

    @http.get("/doubled/{n}")
    @abstractmethod
    async def doubled(self, n: int) -> int: ...


class MemoryCustomers(Customers):
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def _make(self, id: str) -> Customer:
        return Customer(id, f"Name {id}", Decimal("10.50"), datetime(2026, 1, 2, tzinfo=UTC), ("a", "b"))

    async def customer(self, id: str) -> Customer:
        if id.startswith("x"):
            raise CustomerNotFound(id="\ud800" if id == "x unsayable" else id)
        return self._make(id)

    async def listed(
        self,
        state: str | None,
        tags: tuple[str, ...],
        to: str | None = None,
        ids: frozenset[int] = frozenset(),
    ) -> str:
        return repr((state, tags, to, sorted(ids)))

    @effect.at_least_once("in memory")
    async def quiet(self, how: str) -> None:
        return 5 if how == "value" else None  # type: ignore[return-value]

    async def page(
        self, cursor: str | None = None, tags: tuple[str, ...] = (), limit: int = 2
    ) -> Page[Customer]:
        start = int(cursor or 0)
        following = start + limit
        return Page(
            tuple(self._make(f"{i}{''.join(tags)}") for i in range(start, following)),
            str(following) if following < 6 else None,
        )

    async def every(self, count: int = 3) -> AsyncIterator[Customer]:
        for i in range(count):
            if i == 13:
                raise RuntimeError("a secret of the implementation")
            yield self._make(str(i))

    @effect.at_least_once("in memory")
    async def hold(self, id: str, amount: Decimal) -> Hold:
        if id == "blocked":
            raise Blocked(id=id, since=datetime(2026, 1, 1, tzinfo=UTC))
        return Hold(f"h-{id}", amount)

    @effect.at_least_once("in memory")
    async def upload(self, name: str, content: bytes) -> int:
        self.files[name] = content
        return len(content)

    async def download(self, name: str) -> bytes:
        return self.files.get(name, b"")

    async def seen(self) -> Seen:
        context = current()
        left = context.deadline - asyncio.get_running_loop().time()
        return Seen(
            context.caller.subject,
            tuple(sorted(context.caller.scopes)),
            context.trace_id,
            context.consumer,
            round(left),
            context.key,
        )

    @effect.at_least_once("in memory")
    async def mend(self, basket: Basket) -> Basket:
        basket.lines.append(99)
        return basket

    async def doubled(self, n: int) -> int:
        return 2 * n

    async def wrong(self, how: str) -> Customer:
        match how:
            case "type":
                return {"id": 1}  # type: ignore[return-value]
            case "field":
                return Customer(5, "n", Decimal(1), datetime.now(UTC))  # type: ignore[arg-type]
            case "raise":
                raise RuntimeError("a secret of the implementation")
            case "undeclared":
                raise Blocked(id="1", since=datetime.now(UTC))
            case "group":
                async with asyncio.TaskGroup() as group:
                    group.create_task(self.wrong("raise"))
            case _:
                raise InternalError
        raise AssertionError

    @blocking
    def slow(self, seconds: float) -> None:
        import time

        time.sleep(seconds)


class Orders(ProcessAPI, domain="sales", version="1.0"):
    """Orders."""

    @http.post("/orders", status=201, raises=[CustomerNotFound, Blocked])
    @abstractmethod
    async def place(self, customer: str, amount: Decimal) -> Hold: ...

    @http.get("/seen")
    @abstractmethod
    async def seen(self) -> Seen: ...

    @http.get("/lines")
    @abstractmethod
    async def lines(self) -> list[int]: ...

    @http.get("/wrong")
    @abstractmethod
    async def wrong(self, how: str) -> Customer: ...

    @http.get("/both")
    @abstractmethod
    async def both(self, a: str, b: str) -> tuple[Customer, Customer]: ...

    @http.get("/first", raises=[CustomerNotFound])
    @abstractmethod
    async def first(self, a: str, b: str) -> Customer: ...


class Placing(Orders):
    customers: Customers

    async def place(self, customer: str, amount: Decimal) -> Hold:
        await self.customers.customer(customer)
        return await self.customers.hold(customer, amount)

    async def seen(self) -> Seen:
        return await self.customers.seen()

    async def lines(self) -> list[int]:
        mine = Basket([1])
        theirs = await self.customers.mend(mine)
        return [*mine.lines, 0, *theirs.lines]

    async def wrong(self, how: str) -> Customer:
        if how == "argument":
            return await self.customers.customer(5)  # type: ignore[arg-type]
        if how == "empty":
            return await self.customers.customer("")
        if how == "unsayable":
            return await self.customers.customer("x unsayable")
        if how == "value":
            await self.customers.quiet(how)
        return await self.customers.wrong(how)

    async def both(self, a: str, b: str) -> tuple[Customer, Customer]:
        return await self.customers.customer(a), await self.customers.customer(b)

    async def first(self, a: str, b: str) -> Customer:
        async with asyncio.TaskGroup() as group:
            one, _ = (
                group.create_task(self.customers.customer(a)),
                group.create_task(self.customers.customer(b)),
            )
        return one.result()


class Shop(ExperienceAPI, domain="sales", version="1.0"):
    """The shop of the phone."""

    orders: Orders
    customers: Customers

    @http.post("/buy", status=201, raises=[CustomerNotFound, Blocked])
    async def buy(self, customer: str, amount: Decimal) -> Hold:
        return await self.orders.place(customer, amount)

    @http.get("/seen")
    async def seen(self) -> Seen:
        return await self.orders.seen()

    @http.get("/lines")
    async def lines(self) -> list[int]:
        return await self.orders.lines()

    @http.get("/wrong")
    async def wrong(self, how: str) -> Customer:
        return await self.orders.wrong(how)

    @http.get("/first", raises=[CustomerNotFound])
    async def first(self, a: str, b: str) -> Customer:
        return await self.orders.first(a, b)

    @http.get("/doubled")
    async def doubled(self, n: int, by: int = 1) -> int:
        return await self.customers.doubled(n * by)

    @http.get("/all")
    async def all(self, count: int = 3) -> tuple[str, ...]:
        return tuple([c.id async for c in self.customers.every(count)])

    @http.get("/listed")
    async def listed(self) -> tuple[str, ...]:
        given = ((None, ()), ("", ("",)), ("null", ("a", "b"), "", frozenset({2, 1})), (None, ("a",), None))
        return tuple([await self.customers.listed(*arguments) for arguments in given])

    @http.get("/pages")
    async def pages(self) -> tuple[str, ...]:
        found: list[str] = []
        cursor: str | None = None
        while True:
            page = await self.customers.page(cursor, tags=("t", "/&=?"))
            found.extend(c.id for c in page.items)
            if (cursor := page.next) is None:
                return tuple(found)

    @http.post("/files", raises=[])
    async def files(self, name: str, text: str) -> str:
        count = await self.customers.upload(name, text.encode())
        return f"{count} {(await self.customers.download(name)).decode()}"

    @http.get("/slow")
    async def slow(self, seconds: float) -> None:
        await self.customers.slow(seconds)


PARTS = {"customers": MemoryCustomers, "orders": Placing, "shop": Shop}


def build(parts: list[str], bind: dict[str, str]) -> App:
    return App(*(PARTS[p] for p in parts), bind=bind, settings=Settings(environment="test", identity=SECRET))


async def serve(app: App, http: str) -> None:
    import uvicorn

    config = uvicorn.Config(app, port=0, log_level="error", lifespan="on", access_log=False, http=http)
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    await task


if __name__ == "__main__":
    sys.modules["arranged"] = sys.modules["__main__"]
    asyncio.run(serve(build(json.loads(sys.argv[1]), json.loads(sys.argv[2])), sys.argv[3]))
