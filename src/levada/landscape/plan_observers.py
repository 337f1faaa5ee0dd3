"""Who watched the calls to a system, and what share of a window that certainly covers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import get_args

from msgspec import Struct

from levada._errors import LevadaError, plainly
from levada.network.graph import Mode

__all__ = ["Observer", "PlanFileError", "Proof", "read_observers", "read_revoked", "watched"]


class PlanFileError(LevadaError, code="LV1913"):
    """{path} cannot be used: {problem}. A plan is made with: levada plan DIR --json > plan.json"""


CALLS: frozenset[Mode] = frozenset(("sync",))
EVERY: frozenset[Mode] = frozenset(get_args(Mode))


class Observer(Struct, frozen=True):
    """Who watched the calls to a provider, from when to when, and what share of that time it was alive.

    A provider named by a host of it (``host:a.acme.org``) is watched at that host alone: then each of its
    hosts needs an observer. Days are those of UTC.

    A day as ``since`` begins at its start, a day as ``until`` ends at its end. Several rows of one
    observer, one for each stretch in which it was alive (coverage 1), prove the most.
    """

    provider: str
    since: date | datetime
    until: date | datetime
    coverage: float = 1.0
    silent: bool = False
    """Whoever watched says that nobody calls it any more, so that its log is empty."""
    modes: frozenset[Mode] = CALLS
    """What it can see: an access log calls (``sync``), a database's audit reads of tables (``db``)."""


class Proof(Struct, frozen=True):
    """How much of a window was observed for certain."""

    share: float
    """0 to 1. An outage within a record of less than full coverage is taken to lie in the window."""
    silent_since: date | None
    """The last day with any observer, if that is not the window's last; None if it is."""


def watched(observers: Sequence[Observer], days: int, today: date) -> Proof:
    """What these observers prove together of the ``days`` days before ``today``."""
    end = _instant(today)
    begin = end - timedelta(days=days)
    spans: list[tuple[float, datetime, datetime]] = []
    for o in observers:
        since, until = _instant(o.since), _ends(o.until)
        dead = max(0.0, 1.0 - o.coverage) * max(0.0, (until - since).total_seconds())
        if until > begin and since < end and until > since:
            spans.append((dead, max(since, begin), min(until, end)))
    share = _certain(spans, begin, end)
    latest = max((_ends(o.until) for o in observers), default=begin)
    silent = (latest - timedelta(microseconds=1)).date() if latest < end else None
    return Proof(share, silent)


def _certain(spans: Sequence[tuple[float, datetime, datetime]], begin: datetime, end: datetime) -> float:
    """The share that is covered for certain: records are added as long as each proves more than its outages take."""
    window = (end - begin).total_seconds()
    chosen: list[tuple[datetime, datetime]] = []
    dead = best = 0.0
    rest = sorted(spans, key=lambda s: (s[0], s[1]))
    for lost, since, until in rest:
        covered = _union([*chosen, (since, until)]) - dead - lost
        if covered > best:
            chosen.append((since, until))
            dead, best = dead + lost, covered
    return max(0.0, best / window) if window else 0.0


def _union(spans: Iterable[tuple[datetime, datetime]]) -> float:
    total, upto = 0.0, None
    for since, until in sorted(spans):
        start = since if upto is None else max(since, upto)
        if until > start:
            total += (until - start).total_seconds()
            upto = until
    return total


def _instant(when: date | datetime) -> datetime:
    if isinstance(when, datetime):
        return when if when.tzinfo else when.replace(tzinfo=UTC)
    return datetime.combine(when, time(), UTC)


def _ends(when: date | datetime) -> datetime:
    return _instant(when) if isinstance(when, datetime) else _instant(when) + timedelta(days=1)


def read_observers(path: Path) -> list[Observer]:
    """Observers from a CSV file: provider, since, until (days, or instants with a time), coverage (0 to 1; empty: 1),
    mode (what it can see: sync, async, db, file, batch, several of them, or any; empty: sync, as an access log does),
    silent (yes: nobody calls it any more, its log is empty).

    Raises:
        PlanFileError: a column is missing or a value is of another form.
    """
    out: list[Observer] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for row in reader:
                cells = {
                    str(k).strip().lower(): v.strip() for k, v in row.items() if k and isinstance(v, str)
                }
                try:
                    if any(cells.values()):
                        out.append(_observer(cells))
                except ValueError as exc:
                    raise PlanFileError(path=path, problem=f"line {reader.line_num}: {exc}") from exc
    except (OSError, csv.Error, UnicodeDecodeError) as exc:
        raise PlanFileError(path=path, problem=plainly(exc)) from exc
    return out


def _observer(row: dict[str, str]) -> Observer:
    for name in ("provider", "since", "until"):
        if not row.get(name):
            raise ValueError(f"{name} is empty; it has provider, since, until, coverage and mode")
    coverage = float(row.get("coverage") or 1.0)
    if not 0 <= coverage <= 1:
        raise ValueError(f"coverage {coverage:g} is not of 0 to 1")
    since, until = _when(row["since"]), _when(row["until"])
    if _ends(until) <= _instant(since):
        raise ValueError(f"until {row['until']} is before since {row['since']}")
    silent = _SAID.get(row.get("silent", "").lower())
    if silent is None:
        raise ValueError(f"silent {row['silent']} is neither yes nor no")
    return Observer(row["provider"], since, until, coverage, silent, _modes(row.get("mode", "")))


_SAID = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True}


def _modes(text: str) -> frozenset[Mode]:
    words = frozenset(re.split(r"[\s|;,+]+", text.strip().lower())) - {""}
    if "any" in words:
        return EVERY
    if unknown := sorted(words - EVERY | words & {"unknown"}):
        raise ValueError(f"mode {' '.join(unknown)} is none of sync, async, db, file, batch, any")
    return frozenset(m for m in EVERY if m in words) or CALLS


def _when(text: str) -> date | datetime:
    return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)


def read_revoked(path: Path) -> list[str]:
    """Ids of flows, names of consumers or of credentials, one a line."""
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as exc:
        raise PlanFileError(path=path, problem=plainly(exc)) from exc
