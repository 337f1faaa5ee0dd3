"""Counting observed calls in bounded memory: requests, errors, first and last time, by flow."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct

from levada.network.graph import Evidence, Flow, Mode

__all__ = ["MAX_KEYS", "Counter", "normal_path"]

MAX_KEYS = 20_000
"""Flows counted apart; calls of further ones are counted together, under no object."""
MEMORY = 16_384
"""Paths, callers and the like whose reading is remembered: a log says the same again and again."""
DAY = 86_400.0
_VARIABLE = re.compile(r"^(\d+|[0-9a-fA-F]{8,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27,}|.*\d{4,}.*|.{41,})$")


@lru_cache(maxsize=MEMORY)
def _part(part: str) -> str:
    return "{}" if _VARIABLE.match(part) else part


def normal_path(path: str) -> str:
    """A path without its query and with what varies as ``{}``: ``/orders/{}/lines``."""
    parts = path.partition("?")[0].partition("#")[0].split("/")
    return "/".join(["{}" if p.isdecimal() else _part(p) for p in parts[:6]]) or "/"


class _Seen(Struct):
    count: float = 0
    errors: float = 0
    first: float | None = None
    last: float | None = None
    source: str = ""
    line: int | None = None


class Counter:
    """Observed calls by (consumer, provider, object, mode, protocol)."""

    def __init__(self, importer: str) -> None:
        self._importer = importer
        self._seen: dict[tuple[str, str, str | None, Mode, str | None], _Seen] = {}

    def add(
        self, key: tuple[str, str, str | None, Mode, str | None], *, source: str, line: int | None,
        at: float | None = None, count: float = 1, errors: float = 0,
    ) -> None:  # fmt: skip
        """Count calls; ``at`` in seconds since 1970, None where the source has no time."""
        seen = self._seen.get(key)
        if seen is None and len(self._seen) >= MAX_KEYS:
            key = (key[0], key[1], None, key[3], key[4])
            seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(source=source, line=line)
        seen.count += count
        seen.errors += errors
        if at is not None:
            if seen.first is None or at < seen.first:
                seen.first = at
            if seen.last is None or at > seen.last:
                seen.last = at

    def flows(self) -> Iterator[Flow]:
        """A flow each, observed. A day's volume is over the whole time that the sources cover, at least a day;
        without times it is unknown.
        """
        times = [t for s in self._seen.values() for t in (s.first, s.last) if t is not None]
        window = max(times) - min(times) if times else None
        for (consumer, provider, what, mode, protocol), seen in self._seen.items():
            if consumer == provider:
                continue
            attributes: dict[str, Any] = {"requests": seen.count, "errors": seen.errors}
            volume = errors = None
            if window is not None:
                days = max(window / DAY, 1.0)
                volume, errors = round(seen.count / days, 3), round(seen.errors / days, 3)
                attributes["window_s"] = round(window)
            yield Flow(
                consumer=consumer, provider=provider, object=what, mode=mode, protocol=protocol,
                volume_day=volume, errors_day=errors, attributes=attributes,
                evidence=(Evidence(seen.source, seen.line, _time(seen.last), "observed", self._importer),),
            )  # fmt: skip


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
