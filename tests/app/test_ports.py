"""What a publishing port takes: an event that is as its class says, or nothing is held back."""

from decimal import Decimal
from typing import Annotated, Any

import pytest
from msgspec import Meta

from levada import Event, OrderKey
from levada.app.context import Context, _current
from levada.app.ports import PublishesPort
from levada.contract.event import event_type


class Placed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]
    quantity: Annotated[int, Meta(ge=1)] = 1
    amount: Decimal = Decimal(0)
    note: Any = None


async def published(event):
    port = PublishesPort(event_type(Placed), "shop/Orders/v1.placed")
    port.attach(object())  # it is told of nothing before the operation commits
    context = Context(operation="shop/Orders/v1.place")
    token = _current.set(context)
    try:
        await port(event)
    finally:
        _current.reset(token)
        held = context.held
    return held


async def test_an_event_as_its_class_says_is_held_back_until_the_operation_commits():
    event = Placed(order="o-1", quantity=2, amount=Decimal("10.50"))
    assert await published(event) == [(event_type(Placed), event)]


async def later() -> int:
    return 1


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (lambda: Placed(order="o-1", quantity="many"), r"Expected `int`, got `str` - at `\$.quantity`"),
        (lambda: Placed(order="o-1", quantity=0), r"`int` >= 1"),
        (lambda: Placed(order=7), r"\$.order"),
        (lambda: Placed(order="o-1", note=object()), "object"),
        (lambda: Placed(order="o-1", quantity=later()), "quantity is a call that was not awaited: write await"),
    ],
)  # fmt: skip
async def test_what_nobody_could_read_is_refused_where_it_is_published(event, said):
    made = event()
    with pytest.raises(TypeError, match=f"shop/Orders/v1.placed publishes a Placed that is none: .*{said}"):
        await published(made)
    if said.startswith("quantity"):
        made.quantity.close()
