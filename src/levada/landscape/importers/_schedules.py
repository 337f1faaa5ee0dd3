"""When what an export describes is started, as an attribute of its flows."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from msgspec import structs

from levada.landscape.importers.protocol import Item
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Flow

__all__ = ["every", "scheduled", "seconds_of", "united", "with_schedules"]


def with_schedules(item: Item, schedules: Iterable[str]) -> Item:
    """A flow with these schedules; nothing is said where no schedule is among them."""
    told = sorted(set(schedules))
    if not isinstance(item, Flow) or not set(told) - {UNSCHEDULED}:
        return item
    return structs.replace(item, attributes={**item.attributes, "schedule": " | ".join(told)})


def united(items: Iterable[tuple[Item, Iterable[str]]]) -> Iterator[Item]:
    """The items, each flow with the schedules of all that have it: one of them may be started otherwise."""
    items = [(item, set(schedules)) for item, schedules in items]
    said: dict[str, set[str]] = {}
    for item, schedules in items:
        if isinstance(item, Flow):
            said.setdefault(item.id, set()).update(schedules)
    for item, _ in items:
        yield with_schedules(item, said[item.id]) if isinstance(item, Flow) else item


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


_ISO = re.compile(
    r"P(?:(?P<w>\d+)W)?(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?)?",
    re.IGNORECASE,
)
_SPAN = re.compile(
    r"(\d+(?:\.\d+)?)\s*(ns|us|ms|(?=milli)m|s|m|h|d)(?:illis|illiseconds?|ecs?|econds?|ins?|inutes?|rs?|ours?|ays?)?(?![a-z])",
    re.IGNORECASE,
)
_SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def seconds_of(text: str, *, unit: float = 1e-3) -> float | None:
    """The length of a time as Spring, Camel and ISO 8601 write it: ``5000``, ``1h30m``, ``10s``, ``PT5M``; None if it is none.

    ``unit`` is what a bare number counts, in seconds.
    """
    text = text.strip().replace("_", "")
    if re.fullmatch(r"\d+[lL]?", text):
        return int(text.rstrip("lL")) * unit
    if len(text) > 2 and (found := _ISO.fullmatch(text)):
        return sum(float(v) * _SECONDS[k] for k, v in found.groupdict().items() if v)
    parts = list(_SPAN.finditer(text))
    if parts and not _SPAN.sub("", text).strip():
        return sum(float(p[1]) * _SECONDS["ms" if "milli" in p[0].lower() else p[2].lower()] for p in parts)
    return None


def every(seconds: float | None) -> str:
    """The schedule of what runs again after this time; of none, that nobody knows when."""
    if not seconds or seconds < 0:
        return UNSCHEDULED
    whole = max(1, math.ceil(seconds))
    name, length = next(
        (n, u) for n, u in (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)) if whole % u == 0
    )
    return f"every {whole // length} {name}s" if whole > length else f"every {name}"
