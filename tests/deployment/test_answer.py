"""An operator tells a run what it cannot find out itself: read as the code reads it, audited, sealed."""

from abc import abstractmethod
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec import Struct

from levada import (
    Awaits,
    Event,
    OrderKey,
    ProcessAPI,
    Publishes,
    SystemAPI,
    effect,
    handles,
    http,
    run,
    testing,
)
from levada.contract.standard import Unavailable
from levada.deployment.admin import Admin, AdminError
from levada.process._errors import NoOpenCall, WhyMissing


class Receipt(Struct, frozen=True):
    number: str
    total: Decimal


class Post(SystemAPI, domain="shop", version="1.0"):
    """The post."""

    @http.post("/letters/{to}", final=True)
    @abstractmethod
    async def send(self, to: str) -> Receipt:
        """Send a letter."""

    @http.post("/stamps/{number}", final=True)
    @abstractmethod
    async def stamp(self, number: str, total: Decimal) -> None:
        """Stamp a receipt."""


class Placed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]


class Reminded(Event, version="1.0", domain="shop"):
    order: OrderKey[str]


class Paid(Event, version="1.0", domain="shop"):
    order: OrderKey[str]
    total: Decimal


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    post: Post
    placed: Publishes[Placed]

    @http.post("/orders/{order}", status=202)
    async def place(self, order: str) -> None:
        """Place."""
        await self.placed(Placed(order=order))

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        """Fulfil."""
        receipt = await self.post.send(placed.order)
        await self.post.stamp(receipt.number, receipt.total)


class Invoices(ProcessAPI, domain="shop", version="1.0"):
    """Invoices."""

    post: Post
    placed: Publishes[Placed]
    payment: Awaits[Paid]
    reminded: Publishes[Reminded]

    @http.post("/invoices/{order}", status=202)
    async def place(self, order: str) -> None:
        """Place."""
        await self.placed(Placed(order=order))

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        """Remind once, then wait for as long as it takes."""
        paid = await self.payment(key=placed.order, timeout=timedelta(days=30))
        if paid is None:
            await self.reminded(Reminded(order=placed.order))
            paid = await self.payment(key=placed.order)
        await run.sleep(timedelta(days=1))
        await self.post.stamp(placed.order, paid.total)


class Lossy(Post):
    def __init__(self) -> None:
        self.sent: list[str] = []
        self.stamped: list[tuple[str, Decimal]] = []
        self.lost = True

    @effect.at_least_once("letters have no numbers")
    async def send(self, to: str) -> Receipt:
        self.sent.append(to)
        if self.lost:
            raise ConnectionResetError("the answer was lost")
        return Receipt("r-2", Decimal("1.00"))

    @effect.at_least_once("neither have stamps")
    async def stamp(self, number: str, total: Decimal) -> None:
        self.stamped.append((number, total))


@pytest.fixture
async def stuck():
    """(admin, post, network, run): a letter that may have been sent."""
    post = Lossy()
    async with testing.network(post, Orders) as net:
        admin = Admin(net.store)
        admin.know(net.app)
        await net[Orders].place("o-1")
        await net.settle()
        (row,) = await admin.do("runs.list", {"state": "stuck"}, who="anna")
        yield admin, post, net, row["id"]


async def step_of(admin, run):
    shown = await admin.do("runs.show", {"run": run}, who="anna")
    return next(c.split()[4] for c in shown["commands"] if c.startswith("levada runs answer"))


async def test_what_was_done_is_told_and_the_run_goes_on_with_it(stuck):
    admin, post, net, run = stuck
    step = await step_of(admin, run)
    said = {
        "run": run,
        "step": step,
        "value": '{"number": "r-1", "total": "2.50"}',
        "why": "seen in the book",
    }
    await admin.do("runs.answer", said, who="anna")
    await net.settle()
    assert (post.sent, post.stamped) == (["o-1"], [("r-1", Decimal("2.50"))])
    assert (await admin.do("runs.show", {"run": run}, who="anna"))["state"] == "done"
    (row,) = await admin.do("audit.list", {}, who="anna")
    assert (row["action"], row["target"], row["why"]) == ("runs.answer", run, "seen in the book")
    assert (row["before"], row["after"]) == ("stuck", "scheduled")


async def test_what_was_not_done_is_done(stuck):
    admin, post, net, run = stuck
    post.lost = False
    said = {"run": run, "step": await step_of(admin, run), "not_done": True, "why": "the book has nothing"}
    await admin.do("runs.answer", said, who="anna")
    await net.advance(timedelta(minutes=1))
    assert (post.sent, post.stamped) == (["o-1", "o-1"], [("r-2", Decimal("1.00"))])


@pytest.mark.parametrize(
    ("said", "error", "told"),
    [
        ({"value": '{"number": "r-1"}'}, AdminError, "no result of shop/Post/v1.send"),
        ({"value": "r-1"}, AdminError, "as JSON"),
        ({"value": '{"number": "r-1", "total": "much"}'}, AdminError, "total"),
        ({}, AdminError, "--not-done"),
        ({"value": "1", "not_done": True}, AdminError, "--not-done"),
        ({"not_done": True, "step": "/7"}, NoOpenCall, "at step /7"),
        ({"not_done": True, "why": " "}, WhyMissing, "needs a reason"),
    ],
)
async def test_what_is_no_answer_is_refused_and_changes_nothing(stuck, said, error, told):
    admin, post, net, run = stuck
    asked = {"run": run, "step": await step_of(admin, run), "why": "w", **said}
    with pytest.raises(error, match=told):
        await admin.do("runs.answer", asked, who="anna")
    await net.settle()
    assert (await admin.do("runs.show", {"run": run}, who="anna"))["state"] == "stuck"
    assert post.sent == ["o-1"]
    assert await admin.do("audit.list", {}, who="anna") == []


class Down(Post):
    def __init__(self) -> None:
        self.stamped: list[tuple[str, Decimal]] = []

    @effect.passes_key
    async def send(self, to: str) -> Receipt:
        raise Unavailable(reason="The post is closed.")

    @effect.passes_key
    async def stamp(self, number: str, total: Decimal) -> None:
        self.stamped.append((number, total))


async def test_a_call_that_waits_for_its_next_attempt_takes_what_a_person_did():
    post = Down()
    async with testing.network(post, Orders) as net:
        admin = Admin(net.store)
        admin.know(net.app)
        await net[Orders].place("o-1")
        await net.settle()
        (row,) = await admin.do("runs.list", {}, who="anna")
        assert (row["state"], row["again"] is None) == ("scheduled", False)
        said = {"run": row["id"], "step": "/0", "why": "carried there on foot"}
        with pytest.raises(AdminError, match="can be repeated"):
            await admin.do("runs.answer", {**said, "not_done": True}, who="anna")
        said["value"] = '{"number": "r-1", "total": "2.50"}'
        await admin.do("runs.answer", said, who="anna", dry_run=True)
        await net.settle()
        assert post.stamped == []
        await admin.do("runs.answer", said, who="anna")
        await net.settle()
        assert post.stamped == [("r-1", Decimal("2.50"))]
        (audited,) = await admin.do("audit.list", {}, who="anna")
        assert (audited["before"], audited["after"]) == ("scheduled", "scheduled")


PAID = '{"order": "o-1", "total": "2.50"}'


async def test_a_wait_takes_the_event_that_a_person_knows_of_or_that_its_time_is_up():
    post = Down()
    async with testing.network(post, Invoices) as net:
        admin = Admin(net.store)
        admin.know(net.app)
        await net[Invoices].place("o-1")
        await net.settle()
        (row,) = await admin.do("runs.list", {}, who="anna")

        async def answer(step, value, **also):
            said = {"run": row["id"], "step": step, "value": value, "why": "w"}
            await admin.do("runs.answer", said | also, who="anna")
            await net.settle()

        async def refused(step, value, told, **also):
            with pytest.raises(AdminError, match=told):
                await answer(step, value, **also)

        await refused("/0", None, "waits, it calls nothing", not_done=True)
        await refused("/0", '{"order": "o-2", "total": "2.50"}', "of the key o-2, the run waits for o-1")
        await refused("/0", '{"order": "o-1"}', "is no shop.Paid: .*total")
        await answer("/0", "null")
        (reminded,) = await net.published(Reminded)
        assert reminded.order == "o-1"
        await refused("/2", "null", "without an end")
        await answer("/2", PAID)
        await refused("/3", PAID, "for a time, no event")
        await answer("/3", "null")
        assert await net.runs() == {"done": 1}
        assert post.stamped == [("o-1", Decimal("2.50"))]
