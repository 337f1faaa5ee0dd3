"""Counting observed calls in bounded memory: requests, errors, first and last time, by flow."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeAlias

from msgspec import Struct

from levada.network.graph import Evidence, Flow, Mode

__all__ = ["MAX_KEYS", "NOBODY", "Counter", "Key", "normal_path"]

MAX_KEYS = 20_000
"""Flows counted apart; calls of further ones are counted together, under no object."""
MEMORY = 16_384
"""Paths, callers and the like whose reading is remembered: a log says the same again and again."""
DAY = 86_400.0
MAX_CALLERS = 100_000
"""Callers that are told apart beyond those flows; the calls of further ones are those of nobody known."""
NOBODY = "host:unknown"
"""The caller of a call of which the log does not tell it."""
EARLIEST, LATEST = 631_152_000.0, 4_102_444_800.0
"""1990 and 2100: a time outside of them is a mistake, and would make a window of centuries."""
Key: TypeAlias = tuple[str, str, str | None, Mode, str | None]
_VARIABLE = re.compile(r"^(\d+|[0-9a-fA-F]{8,}|[0-9a-fA-F]{8}-[0-9a-fA-F-]{27,}|.*\d{4,}.*|.{41,})$")


@lru_cache(maxsize=MEMORY)
def _part(part: str) -> str:
    return "{}" if _VARIABLE.match(part) else part


def normal_path(path: str) -> str:
    """A path without its query and with what varies as ``{}``: ``/orders/{}/lines``."""
    path = path.partition("?")[0].partition("#")[0]
    parts = (re.sub(r";[^/]*", "", path) if ";" in path else path).split("/")
    return "/".join(["{}" if p.isdecimal() else _part(p) for p in parts[:6]]) or "/"


class _Seen(Struct):
    count: float = 0
    errors: float = 0
    last: float | None = None
    """When it was used; what was refused is counted apart."""
    refused: float = 0
    refused_last: float | None = None
    source: str = ""
    line: int | None = None


class Counter:
    """Observed calls by (consumer, provider, object, mode, protocol), and how long each observer watched."""

    def __init__(self, importer: str) -> None:
        self._importer = importer
        self._seen: dict[Key, _Seen] = {}
        self._watched: dict[str, list[float]] = {}
        """Observer -> its first and its last time."""
        self._observers: dict[str, dict[str, None]] = {}
        """Provider -> the observers that saw it."""
        self.others = 0.0
        """Calls of callers beyond :data:`MAX_CALLERS`; they stand under :data:`NOBODY`."""

    def add(
        self, key: Key, *, source: str, line: int | None, at: float | None = None, count: float = 1,
        errors: float = 0, observer: str = "", refused: bool = False,
    ) -> None:  # fmt: skip
        """Count calls.

        Args:
            key: Consumer, provider, object, mode and protocol.
            source: The file.
            line: Its line.
            at: When, in seconds since 1970; None where the source has no time, or one that cannot be.
            count: How many calls.
            errors: How many of them failed.
            observer: Who saw it: a log with all its older parts, or a tracing system.
            refused: Was the caller not let in? Then it asked, and nothing was moved.
        """
        seen = self._seen.get(key)
        if seen is None and len(self._seen) >= MAX_KEYS:
            key = (key[0], key[1], None, key[3], key[4])
            seen = self._seen.get(key)
            if seen is None and len(self._seen) >= MAX_KEYS + MAX_CALLERS:
                self.others += count
                key = (NOBODY, *key[1:])
                seen = self._seen.get(key)
        if seen is None:
            seen = self._seen[key] = _Seen(source=source, line=line)
        seen.count += count
        seen.errors += errors
        if refused:
            _refuse(seen, count, at)
        if at is not None and EARLIEST <= at <= LATEST:
            if not refused and (seen.last is None or at > seen.last):
                seen.last = at
            watched = self._watched.get(observer)
            if watched is None:
                self._watched[observer] = [at, at]
            elif at < watched[0]:
                watched[0] = at
            elif at > watched[1]:
                watched[1] = at
        if observer not in (held := self._observers.setdefault(key[1], {})):
            held[observer] = None

    def flows(self) -> Iterator[Flow]:
        """A flow each, observed. A day's volume is over the time in which its provider's observers watched, at least
        a day; what has no time has no volume.
        """
        windows = {
            p: _covered(self._watched[o] for o in held if o in self._watched)
            for p, held in self._observers.items()
        }
        for (consumer, provider, what, mode, protocol), seen in self._seen.items():
            if consumer == provider:
                continue
            attributes: dict[str, Any] = {"requests": seen.count, "errors": seen.errors}
            volume = errors = None
            last = seen.refused_last if seen.last is None else seen.last
            if seen.refused:
                # All that the plan's check may leave out of account, by the place of its evidence.
                attributes["refused"] = [
                    {"source": seen.source, "line": seen.line, "count": round(seen.refused), "last": _time(seen.refused_last),
                     "only": seen.refused >= seen.count}
                ]  # fmt: skip
            if last is not None:
                window = windows[provider]
                days = max(window / DAY, 1.0)
                volume, errors = round(seen.count / days, 6), round(seen.errors / days, 6)
                attributes["window_s"] = round(window)
            yield Flow(
                consumer=consumer, provider=provider, object=what, mode=mode, protocol=protocol,
                volume_day=volume, errors_day=errors, attributes=attributes,
                evidence=(Evidence(seen.source, seen.line, _time(last), "observed", self._importer),),
            )  # fmt: skip


def _refuse(seen: _Seen, count: float, at: float | None) -> None:
    seen.refused += count
    if at is not None and EARLIEST <= at <= LATEST:
        seen.refused_last = max(at, seen.refused_last or at)


def _covered(spans: Iterable[list[float]]) -> float:
    """Seconds in which at least one watched."""
    total, upto = 0.0, float("-inf")
    for first, last in sorted(spans):
        total += max(0.0, last - max(first, upto))
        upto = max(upto, last)
    return total


def _time(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
