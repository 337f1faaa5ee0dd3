"""How long an edge may rest between two of its runs, from its period or its schedule."""

from __future__ import annotations

import math
import re
from datetime import date, timedelta

from levada.network.graph import Flow

__all__ = ["longest_period"]

DAY = 86400.0
_NAMED = {
    "@yearly": 366,
    "@annually": 366,
    "@monthly": 31,
    "@weekly": 7,
    "@daily": 1,
    "@midnight": 1,
    "@hourly": 1,
}
_MONTHS = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
_DAYS = {"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}


def longest_period(flow: Flow) -> float | None:
    """Seconds between two runs at the most (``period_s``, or a crontab's ``schedule``); None if unknown."""
    said = flow.attributes.get("period_s")
    try:
        if said is not None and 0 < float(str(said)) < float("inf"):
            return float(str(said))
    except ValueError:
        pass
    schedule = flow.attributes.get("schedule")
    gaps = [_longest_gap(s) for s in str(schedule).split(" | ")] if schedule else [None]
    known = [g for g in gaps if g is not None]
    return max(known) * DAY if len(known) == len(gaps) else None  # of two schedules, the rarer


def _longest_gap(schedule: str) -> int | None:
    """Days between two days on which a cron expression runs, at the most; None if it cannot be read."""
    text = schedule.strip()
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    rate = re.fullmatch(r"rate\(\s*(\d+)\s+(minute|hour|day)s?\s*\)", text, re.IGNORECASE)
    if rate:
        return math.ceil(int(rate[1]) * {"minute": 1 / 1440, "hour": 1 / 24, "day": 1}[rate[2].lower()])
    parts = re.sub(r"^cron\((.*)\)$", r"\1", text, flags=re.IGNORECASE).split()
    if len(parts) in (6, 7):
        # Quartz and Spring count seconds first, and perhaps years last; AWS has years last alone. Both have a
        # question mark in place of one of the two days, and by its place they are told apart.
        years_last = len(parts) == 6 and "?" in (parts[2], parts[4])
        parts = parts[:5] if years_last else parts[1:6]
    if len(parts) != 5:
        return None
    days, months = _set(parts[2], 1, 31, {}), _set(parts[3], 1, 12, _MONTHS)
    weekdays = _set(parts[4], 0, 7, _DAYS)
    if days is None or months is None or weekdays is None:
        return None
    either = not parts[2].startswith(("*", "?")) and not parts[4].startswith(("*", "?"))
    weekdays = {d % 7 for d in weekdays}
    longest, last = 0, None
    at = date(2023, 1, 1)
    for _ in range(9 * 366):
        on_day, on_weekday = at.day in days, at.isoweekday() % 7 in weekdays
        if at.month in months and ((on_day or on_weekday) if either else (on_day and on_weekday)):
            longest = max(longest, (at - last).days if last else 0)
            last = at
        at += timedelta(days=1)
    return longest or None


def _set(text: str, low: int, high: int, names: dict[str, int]) -> set[int] | None:
    """The values of one field; None if it has marks that are not of crontab's."""
    out: set[int] = set()
    for word, number in names.items():
        text = re.sub(rf"\b{word}\b", str(number), text, flags=re.IGNORECASE)
    for part in text.split(","):
        found = re.fullmatch(r"(\*|\?|\d+)(?:-(\d+))?(?:/(\d+))?", part)
        if found is None:
            return None
        first, last, step = found[1], found[2], int(found[3] or 1)
        begin = low if first in "*?" else int(first)
        end = high if first in "*?" or (found[3] and not last) else int(last or first)
        if not (low <= begin <= end <= high and step):
            return None
        out |= set(range(begin, end + 1, step))
    return out
