"""An operator tells a stuck run what became of a call: read as the code reads it, audited, sealed."""

from abc import abstractmethod
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec import Struct

from levada import Event, OrderKey, ProcessAPI, Publishes, SystemAPI, effect, handles, http, testing
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
