"""When what an export describes is started, as an attribute of its flows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import structs

from levada.landscape.importers.protocol import Item
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Flow

__all__ = ["scheduled", "with_schedules"]


def with_schedules(item: Item, schedules: Iterable[str]) -> Item:
    """A flow with these schedules; nothing is said where no schedule is among them."""
    told = sorted(set(schedules))
    if not isinstance(item, Flow) or not set(told) - {UNSCHEDULED}:
        return item
    return structs.replace(item, attributes={**item.attributes, "schedule": " | ".join(told)})


def scheduled(items: Iterable[Item], schedules: Iterable[tuple[str, str]]) -> Iterator[Item]:
    """The items, flows of what is started by these schedules with them; what something else starts or calls too, also else."""
    starts: dict[str, set[str]] = {}
    for started, schedule in schedules:
        starts.setdefault(started, set()).add(schedule)
    items = list(items)
    for item in items:
        if isinstance(item, Flow):
            for end in (item.provider, *([item.consumer] if item.mode == "async" else ())):
                if end in starts:
                    starts[end].add(UNSCHEDULED)
    for item in items:
        yield with_schedules(item, starts.get(item.consumer, ()) if isinstance(item, Flow) else ())
