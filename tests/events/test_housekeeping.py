"""Tidying deletes what is past its retention and read, and nothing that is needed."""

from collections.abc import Callable, Sequence

from levada.events.delivery import Delivery
from levada.events.dispatcher import Reader
from levada.events.envelope import Envelope
from levada.events.housekeeping import Tidied, tidy
from levada.events.log import Log
from levada.events.subscription import Subscriptions
from levada.store.protocol import Statement, Store

SHORT, LONG = "shop.OrderPlaced.v1", "shop.OrderPaid.v1"


class Nothing:
    async def take(self, delivery: Delivery) -> Sequence[Statement]:
        return ()


async def test_only_what_was_read_and_is_old_goes(store: Store, make: Callable[..., Envelope]):
    log = await Log.open(store)
    await log.create(SHORT, retention=0)
    await log.create(LONG)
    await Subscriptions(log).declare("billing", [SHORT])
    await Subscriptions(log).declare("audit", [SHORT, LONG])
    await log.append([make(f"o-{i}") for i in range(10)] + [make("o-1", of="shop.OrderPaid")])
    assert (await tidy(log)).events == 0
    for name in ("billing", "audit"):
        reader = Reader(log, name, Nothing())
        await reader.claim()
        await reader.until_idle()
    assert await tidy(log) == Tidied(10, ("billing",))
    assert await store.read("inbox.has", {"subscription": "billing", "event_id": "e-1"}) == []
    assert await store.read("inbox.has", {"subscription": "audit", "event_id": "e-1"}) != []
    assert {t.name: t.events for t in await log.topics()} == {SHORT: 0, LONG: 1}
    assert await tidy(log) == Tidied(0, ("billing",))
