"""Cron's schedules: how long the longest pause between two runs is."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

__all__ = ["longest_pause"]

_NAMED = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip
_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_WORDS = {w: n for n, w in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])} | {
    w: n for n, w in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1
    )
}  # fmt: skip
_FROM = datetime(2023, 12, 25)  # noqa: DTZ001 - a calendar, no moment; it holds a leap day
_DAYS = 800


@lru_cache(1000)
def longest_pause(schedule: str) -> float | None:
    """Seconds of the longest pause between two runs within two years; None if it is no schedule or runs once.

    ``@reboot`` and what cannot be read have none: nobody knows when they run.
    """
    words = _NAMED.get(schedule, schedule).split()
    fields = [_field(w, *_BOUNDS[n]) for n, w in enumerate(words)] if len(words) == 5 else []
    if len(fields) != 5 or any(f is None or not f for f in fields):
        return None
    minutes, hours, days, months, weekdays = (frozenset(f or ()) for f in fields)
    weekdays = frozenset(d % 7 for d in weekdays)
    either = words[2][0] != "*" and words[4][0] != "*"  # cron: with both given, one of them is enough
    times = sorted(h * 60 + m for h in hours for m in minutes)
    longest, last = timedelta(), None
    for n in range(_DAYS):
        day = _FROM + timedelta(days=n)
        of_month, of_week = day.day in days, (day.weekday() + 1) % 7 in weekdays
        if day.month not in months or not ((of_month or of_week) if either else (of_month and of_week)):
            continue
        if last is not None:
            longest = max(longest, day + timedelta(minutes=times[0]) - last)
        last = day + timedelta(minutes=times[-1])
    if not longest:
        return None  # on one day of these years, or on none
    within = max((b - a for a, b in pairwise(times)), default=0) * 60
    return max(longest.total_seconds(), within)


def _field(text: str, least: int, most: int) -> set[int] | None:
    out: set[int] = set()
    for part in text.lower().split(","):
        found = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
        if found is None:
            return None
        first = least if found[1] == "*" else _number(found[2])
        last = most if found[1] == "*" or (found[4] and not found[3]) else _number(found[3] or found[2])
        step = int(found[4] or 1)
        if first is None or last is None or not least <= first <= last <= most or step == 0:
            return None
        out.update(range(first, last + 1, step))
    return out


def _number(text: str) -> int | None:
    return int(text) if text.isdigit() else _WORDS.get(text[:3])
