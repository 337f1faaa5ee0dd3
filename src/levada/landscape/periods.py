"""How long an edge may rest between two of its runs, from its period or its schedule.

A schedule is a crontab's, Quartz's or EventBridge's expression, systemd's ``OnCalendar``, or words (``every 3 months``,
``quarterly``, ``einmal im Jahr``). What cannot be read is unknown, never taken for something shorter.
"""

from __future__ import annotations

import math
import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache

from levada.network.graph import Flow

__all__ = ["DATED", "IN_SOME_MONTHS", "UNSCHEDULED", "periods", "range_days"]

DAY = 86400.0
MONTH, YEAR = 31, 366
DATED, IN_SOME_MONTHS = " (on a condition)", " (on a condition of the month)"
"""What stands behind a schedule whose runs do nothing unless a condition holds."""
UNSCHEDULED = "otherwise"
"""A schedule of what is also started by something else than the schedules beside it: nobody knows when."""
_SAID = ("schedule", "frequency", "cadence", "turnus", "rhythmus", "häufigkeit", "frequenz", "zeitplan")
"""Attributes that say when a flow runs; the last are columns of tables."""
_NAMED = {
    "hourly": 1, "daily": 1, "midnight": 1, "nightly": 1, "weekly": 7, "biweekly": 14, "fortnightly": 14, "monthly": MONTH,
    "quarterly": 92, "semiannually": 184, "yearly": YEAR, "annually": YEAR, "annual": YEAR,
    "stündlich": 1, "täglich": 1, "nächtlich": 1, "wöchentlich": 7, "monatlich": MONTH, "quartalsweise": 92,
    "vierteljährlich": 92, "halbjährlich": 184, "jährlich": YEAR,
}  # fmt: skip
_UNITS = {
    "millisecond": 1 / 86400_000, "second": 1 / 86400, "sekunde": 1 / 86400, "minute": 1 / 1440, "hour": 1 / 24, "stunde": 1 / 24, "day": 1, "tag": 1, "week": 7,
    "woche": 7, "month": MONTH, "monat": MONTH, "quarter": 92, "quartal": 92, "year": YEAR, "jahr": YEAR,
}  # fmt: skip
_EVERY = re.compile(
    rf"(?:rate\(\s*|(?:every|each|all[e]?|jede[rsmn]?|(?:once|one time|einmal|1 ?x|1 ?mal)\s+(?:an?|per|each|every|im|am|in der|pro|je)"
    rf"|per|pro|je)\s+)(?:(\d+)\s+)?({'|'.join(_UNITS)})(?:e[ns]?|s|n)?\b(?:\s*\))?"
)
_MONTHS = {
    "JAN": 1, "FEB": 2, "MAR": 3, "APR": 4, "MAY": 5, "JUN": 6, "JUL": 7, "AUG": 8, "SEP": 9, "OCT": 10, "NOV": 11, "DEC": 12,
}  # fmt: skip
_DAYS = {"SUN": 0, "MON": 1, "TUE": 2, "WED": 3, "THU": 4, "FRI": 5, "SAT": 6}


def periods(flow: Flow) -> list[float | None]:
    """Seconds that may lie between two runs, by each that says so (``period_s``, a ``schedule``); None is unknown."""
    out: list[float | None] = []
    if (said := flow.attributes.get("period_s")) is not None:
        out.append(_seconds(str(said)))
    for name in _SAID:
        for schedule in str(flow.attributes.get(name) or "").split(" | "):
            if schedule.strip():
                out += [None if days is None else days * DAY for days in _read(schedule.strip())]
    return out or [None]


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < float("inf") else None


def _read(schedule: str) -> list[int | None]:
    """Days between two runs at the most, by each part of a schedule that can be read; None for what cannot."""
    for mark, least in ((DATED, MONTH), (IN_SOME_MONTHS, YEAR)):
        if schedule.endswith(mark):
            return [None, least, *_read(schedule.removesuffix(mark))]
    days = _of_expression(schedule)
    if days is not None:
        return [days]
    text = schedule.lower().replace("ae", "ä").replace("oe", "ö").replace("ue", "ü").strip(" @.")
    found = [math.ceil(int(m[1] or 1) * _UNITS[m[2]]) for m in _EVERY.finditer(text)]
    found += [_NAMED[w] for w in re.findall(r"[^\W\d_]+", text) if w in _NAMED]
    alone = len(found) == 1 and (text in _NAMED or _EVERY.fullmatch(text))
    return [*found] if alone else [None, *found]  # "monthly, but not in May": a month, or longer


@lru_cache(1000)
def _of_expression(text: str) -> int | None:
    """Days between two days on which a crontab, Quartz, EventBridge or systemd runs something, at the most."""
    crontab = len(text.split()) == 5
    parts = re.sub(r"^cron\((.*)\)$", r"\1", text, flags=re.IGNORECASE).split()
    if len(parts) in (6, 7):
        # Quartz and Spring count seconds first, and perhaps years last; AWS has years last alone. Both have a
        # question mark in place of one of the two days, and by its place they are told apart.
        years_last = len(parts) == 6 and "?" in (parts[2], parts[4])
        if (years_last or len(parts) == 7) and parts[-1] not in ("*", "?"):
            return None  # in some years only
        parts = parts[:5] if years_last else parts[1:6]
    if len(parts) == 5:
        # Of two days a crontab takes either; Spring and Azure, which count seconds, want both.
        either = crontab and not any(parts[n].startswith(("*", "?")) for n in (2, 4))
        return _longest_gap(parts[2], parts[3], parts[4], either=either, marks=not crontab)
    found = re.fullmatch(
        r"(?:(?P<week>[A-Za-z][A-Za-z,.]*)\s*)?(?:\*-(?P<month>[\d*,./]+)-(?P<day>[\d*,./]+))?(?:(?:^|\s+)(?P<time>[\d*,./]+:[\d*,./:]+))?(?:\s+[A-Z][\w/+-]*)?",
        text,
    )
    if found is None or not (found["month"] or found["time"] or _days_of_week(found["week"])):
        return None
    day, month = ((found[n] or "*").replace("..", "-") for n in ("day", "month"))
    return _longest_gap(day, month, _days_of_week(found["week"]) or "*", either=False)


def _days_of_week(text: str | None) -> str | None:
    """Systemd's days of the week as a crontab's; None if they are none."""
    names = re.split(r"(,|\.\.)", text or "")
    short = [n if n in (",", "..") else n[:3].upper() for n in names]
    whole = {
        "MON": "day",
        "TUE": "sday",
        "WED": "nesday",
        "THU": "rsday",
        "FRI": "day",
        "SAT": "urday",
        "SUN": "day",
    }
    if any(
        s not in _DAYS or n[3:] not in ("", whole[s]) for s, n in zip(short[::2], names[::2], strict=True)
    ):
        return None
    return "".join(short).replace("..SUN", "..7").replace("..", "-")


def _longest_gap(day: str, month: str, weekday: str, *, either: bool, marks: bool = False) -> int | None:
    """Days between two that fit the fields.

    ``either``: the day of the month or that of the week is enough; ``marks``: those of Quartz are read.
    """
    on_day, on_weekday = _days_of(day, _of_month, marks), _days_of(weekday, _of_week, marks)
    months = _set(month, 1, 12, _MONTHS)
    if on_day is None or on_weekday is None or months is None:
        return None
    longest, last = 0, None
    at = date(2023, 1, 1)
    for _ in range(9 * 366):
        if at.month in months:
            fits = (on_day(at) or on_weekday(at)) if either else (on_day(at) and on_weekday(at))
            if fits:
                longest = max(longest, (at - last).days if last else 0)
                last = at
        at += timedelta(days=1)
    return longest + range_days(day) if longest else None


_Days = Callable[[date], bool]


def _days_of(field: str, read: Callable[[str, bool], _Days | None], marks: bool) -> _Days | None:
    """The days that one of a field's parts means; None if one of them cannot be read."""
    tests = [read(part, marks) for part in field.split(",")]
    known = [t for t in tests if t is not None]
    return (lambda at: any(t(at) for t in known)) if len(known) == len(tests) else None


def _of_month(part: str, marks: bool) -> _Days | None:
    """Days of the month; with ``L`` (the last), ``L-2`` (two before it), ``15W`` (the working day next to it), ``LW``."""
    if marks and (found := re.fullmatch(r"L(?:-(\d\d?))?", part, re.IGNORECASE)):
        before = int(found[1] or 0)
        return (lambda at: at.day == _last_day(at) - before) if before < 28 else None
    if marks and (found := re.fullmatch(r"(L|\d\d?)W", part, re.IGNORECASE)):
        wanted = None if found[1] in "Ll" else int(found[1])
        return (lambda at: at == _near(at, wanted)) if wanted is None or 1 <= wanted <= 31 else None
    days = _set(part, 1, 31, {})
    return None if days is None else lambda at: at.day in days


def _last_day(at: date) -> int:
    return monthrange(at.year, at.month)[1]


def _near(at: date, wanted: int | None) -> date | None:
    """The working day of its month that is next to a day of it, or the last one; None if the month lacks the day."""
    last = _last_day(at)
    if (wanted or last) > last:
        return None
    day = at.replace(day=wanted or last)
    if day.weekday() == 5:
        return day - timedelta(days=1) if day.day > 1 else day + timedelta(days=2)
    if day.weekday() == 6:
        return day + timedelta(days=1) if day.day < last else day - timedelta(days=2)
    return day


def _of_week(part: str, marks: bool) -> _Days | None:
    """Days of the week; with ``MON#1`` (the first of the month) and ``6L`` (the last of the month)."""
    found = re.fullmatch(r"(\w+?)(?:(L)|#([1-5]))", part, re.IGNORECASE) if marks else None
    days = _set(found[1] if found else part, 0, 7, _DAYS)
    if days is None:
        return None
    days = {d % 7 for d in days}
    if found and found[2]:
        return lambda at: at.isoweekday() % 7 in days and at.day > _last_day(at) - 7
    if found:
        nth = int(found[3])
        return lambda at: at.isoweekday() % 7 in days and (at.day + 6) // 7 == nth
    return lambda at: at.isoweekday() % 7 in days


def range_days(days: str) -> int:
    """What a range of days of the month adds to the gap between two: it is asked for where one day of it is chosen.

    Of ``28-31`` it is the last of the month, by a test in what is run; of ``1-7`` perhaps the first Monday.
    """
    found = [int(b) - int(a) for a, b in re.findall(r"(?:^|,)(\d+)-(\d+)(?=,|$)", days)]
    found = [n for n in found if 0 < n < 30]
    return max((n if n < 6 else max(n, 10) for n in found), default=0)


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
