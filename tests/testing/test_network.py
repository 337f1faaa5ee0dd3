"""The test kit, as a user meets it."""

from abc import abstractmethod
from datetime import timedelta
from decimal import Decimal
from typing import Annotated

import pytest
from msgspec import Struct

from levada import (
    Awaits,
    Event,
    OrderKey,
    Problem,
    ProcessAPI,
    Publishes,
    SystemAPI,
    handles,
    http,
    named,
    run,
    testing,
    undoes,
)


class Hold(Struct, frozen=True):
    id: str
    amount: Decimal


class NoCredit(Problem, status=409, detail="{customer} has no credit left."):
    """The customer's credit does not suffice."""

    customer: str


class Customers(SystemAPI, domain="sales", version="1.0"):
    """Customers."""

    @http.post("/customers/{customer}/holds", raises=[NoCredit])
    @abstractmethod
    async def hold(self, customer: str, amount: Decimal) -> Hold:
        """Reserve credit."""

    @http.delete("/holds/{id}")
    @abstractmethod
    async def release(self, id: str) -> None:
        """Give a hold back."""

    @undoes(hold)
    async def undo_hold(self, held: Hold) -> None:
        await self.release(held.id)


class OrderPlaced(Event, version="1.0"):
    order: OrderKey[str]
    total: Decimal


class PaymentReceived(Event, version="1.0"):
    order: OrderKey[str]


class Shipped(Event, version="1.0"):
    order: OrderKey[str]


class Orders(ProcessAPI, domain="sales", version="1.0"):
    """Orders."""

    @http.post("/orders", status=202)
    @abstractmethod
    async def place(self, order: str, total: Decimal) -> str:
        """Place an order."""

    @http.post("/payments", status=202)
    @abstractmethod
    async def paid(self, order: str) -> None:
        """Tell that an order was paid."""


class OrderToCash(Orders):
    customers: Customers
    placed: Publishes[OrderPlaced]
    received: Publishes[PaymentReceived]
    shipped: Publishes[Shipped]
    payment: Awaits[PaymentReceived]

    async def place(self, order: str, total: Decimal) -> str:
        await self.placed(OrderPlaced(order=order, total=total))
        return order

    async def paid(self, order: str) -> None:
        await self.received(PaymentReceived(order=order))

    @handles(OrderPlaced)
    async def fulfil(self, order: OrderPlaced) -> None:
        await self.customers.hold(order.order, order.total)
        if await self.payment(key=order.order, timeout=timedelta(days=30)) is None:
            raise run.Compensate("not paid in 30 days")
        await self.shipped(Shipped(order=order.order))


class FakeCustomers(testing.Fake, Customers):
    def __init__(self) -> None:
        self.held: dict[str, Decimal] = {}
        self.released: list[str] = []

    async def hold(self, customer: str, amount: Decimal) -> Hold:
        if amount > 1000:
            raise NoCredit(customer=customer)
        self.held[customer] = amount
        return Hold(f"h-{customer}", amount)

    async def release(self, id: str) -> None:
        self.released.append(id)


async def test_an_unpaid_order_gives_its_credit_back_after_thirty_days():
    customers = FakeCustomers()
    async with testing.network(OrderToCash, customers) as net:
        await net[Orders].place("o-1", Decimal("10.50"))
        await net.advance(timedelta(days=29))
        assert customers.held == {"o-1": Decimal("10.50")}
        assert await net.runs() == {"waiting": 1}
        await net.advance(timedelta(days=2))
        assert customers.released == ["h-o-1"]
        assert await net.runs() == {"compensated": 1}


async def test_a_paid_order_is_shipped_and_calls_are_seen():
    customers = FakeCustomers()
    async with testing.network(OrderToCash, customers) as net:
        await net[Orders].place("o-1", Decimal(10))
        await net[Orders].paid("o-1")
        assert await net.runs() == {"done": 1}
        assert await net.published(Shipped) == [Shipped(order="o-1")]
        assert [(c.consumer, c.operation) for c in net.calls if c.operation.endswith("hold")] == [
            ("service:sales/Orders/v1", "sales/Customers/v1.hold")
        ] or [c.operation for c in net.calls if c.operation.endswith("hold")] == ["sales/Customers/v1.hold"]
        await net.advance(timedelta(days=40))
        assert customers.released == []


async def test_a_declared_problem_undoes_and_the_worker_may_die_anywhere():
    made: list[FakeCustomers] = []

    def parts():
        made.append(FakeCustomers())
        return [OrderToCash, made[-1]]

    async def scenario(net: testing.Network) -> None:
        await net[Orders].place("o-1", Decimal(10))
        await net[Orders].place("o-2", Decimal(5000))
        await net.settle()
        await net[Orders].paid("o-1")
        assert await net.runs() == {"done": 1, "compensated": 1}
        assert await net.published(Shipped) == [Shipped(order="o-1")]
        assert made[-1].held == {"o-1": Decimal(10)}

    assert await testing.at_every_crash(parts, scenario) > 5


class Counting(FakeCustomers):
    total = Decimal(0)

    async def hold(self, customer: str, amount: Decimal) -> Hold:
        self.total += amount
        return Hold(f"h-{customer}", amount)


async def test_a_fake_that_adds_up_answers_a_repeat_of_a_key_without_adding_again():
    made: list[Counting] = []

    def parts():
        made.append(Counting())
        return [OrderToCash, made[-1]]

    async def scenario(net: testing.Network) -> None:
        await net[Orders].place("o-1", Decimal(10))
        await net[Orders].place("o-2", Decimal(7))
        await net.settle()
        assert made[-1].total == 17

    assert await testing.at_every_crash(parts, scenario) > 5
    stock = Counting()
    async with testing.network(stock) as net:
        await net[Customers].hold("c", Decimal(1))
        await net[Customers].hold("c", Decimal(1))
        assert stock.total == 2, "calls without a key are two calls"


class Shipping(Orders):
    customers: Customers
    shipped: Publishes[Shipped]
    payment: Awaits[PaymentReceived]

    async def place(self, order: str, total: Decimal) -> str:
        return order

    async def paid(self, order: str) -> None: ...

    @handles(OrderPlaced)
    async def fulfil(self, order: OrderPlaced) -> None:
        await self.customers.hold(order.order, order.total)
        if await self.payment(key=order.order, timeout=timedelta(days=30)) is not None:
            await self.shipped(Shipped(order=order.order))


class Other(Event, version="1.0"):
    order: OrderKey[str]


async def test_events_of_other_apis_are_published_by_the_test():
    async with testing.network(Shipping, FakeCustomers()) as net:
        await net.publish(OrderPlaced(order="o-1", total=Decimal(1)))
        assert await net.runs() == {"waiting": 1}
        await net.publish(PaymentReceived(order="o-1"))
        assert await net.runs() == {"done": 1}
        assert await net.published(Shipped) == [Shipped(order="o-1")]
        assert len(await net.published(OrderPlaced)) == 1
        with pytest.raises(TypeError, match=r"handles or awaits sales.Other; events here: sales.OrderPlaced"):
            await net.publish(Other(order="o-1"))


async def test_a_fake_in_one_line_and_what_it_leaves_out():
    customers = testing.fake(Customers, hold=lambda customer, amount: Hold(customer, amount))
    assert await customers.hold("c", Decimal(1)) == Hold("c", Decimal(1))
    with pytest.raises(NotImplementedError, match="fakes no release"):
        await customers.release("h")
    with pytest.raises(TypeError, match="has no operation hlod"):
        testing.fake(Customers, hlod=1)


class TwoRegions(Orders):
    here: Annotated[Customers, named("here")]
    there: Annotated[Customers, named("there")]
    placed: Publishes[OrderPlaced]

    async def place(self, order: str, total: Decimal) -> str:
        await self.placed(OrderPlaced(order=order, total=total))
        return order

    async def paid(self, order: str) -> None: ...

    @handles(OrderPlaced)
    async def fulfil(self, order: OrderPlaced) -> None:
        await self.here.hold(order.order, order.total)
        await self.there.hold(order.order, order.total)
        raise run.Compensate("no")


async def test_what_one_of_two_adapters_did_is_undone_by_the_same():
    here, there = FakeCustomers(), FakeCustomers()
    bind = {"sales/Customers/v1": here, "sales/Customers/v1@here": here, "sales/Customers/v1@there": there}
    async with testing.network(TwoRegions, bind=bind) as net:
        await net[Orders].place("o-1", Decimal(5))
        assert await net.runs() == {"compensated": 1}
    assert (here.released, there.released) == (["h-o-1"], ["h-o-1"])
