"""Days on which nobody works: weekends, and the holidays of a calendar file."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Set
from datetime import date, timedelta
from pathlib import Path

from levada._errors import LevadaError, plainly

__all__ = ["DaysOffError", "is_working", "next_working", "read_days_off"]

MAX_SPAN = 400
"""Days of one entry; a longer one is a mistake, and would leave no day to work on."""
YEARS = 20
"""How far an event is followed that comes again each year."""


class DaysOffError(LevadaError, code="LV1915"):
    """{path} cannot be used as days off: {problem}. It is an ICS calendar of whole-day events, or CSV with the column date (2027-05-06), and until where it lasts longer."""


def is_working(day: date, off: Set[date]) -> bool:
    """Is it a day from Monday to Friday that is not off?"""
    return day.weekday() < 5 and day not in off


def next_working(day: date, off: Set[date]) -> date:
    """The day, or the first working one after it."""
    while not is_working(day, off):
        day += timedelta(days=1)
    return day


def read_days_off(path: Path) -> frozenset[date]:
    """The days of an ICS calendar (whole-day events; those that come again each year, too) or of a CSV file.

    Raises:
        DaysOffError: The file cannot be read, or an entry of it is of another form.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        spans = (
            _of_ics(text) if text.lstrip()[:15].upper() == "BEGIN:VCALENDAR" else _of_csv(text.splitlines())
        )
        found = frozenset(day for first, last in spans for day in _days(first, last))
    except (OSError, ValueError, csv.Error) as exc:
        raise DaysOffError(path=path, problem=plainly(exc)) from exc
    if not found:
        raise DaysOffError(path=path, problem="it names no day")
    return found


def _days(first: date, last: date) -> Iterator[date]:
    if not 0 <= (last - first).days <= MAX_SPAN:
        raise ValueError(f"from {first} to {last} is no span of days off")
    for n in range((last - first).days + 1):
        yield first + timedelta(days=n)


def _of_csv(lines: Iterable[str]) -> Iterator[tuple[date, date]]:
    lines = list(lines)
    delimiter = ";" if ";" in (lines[0] if lines else "") else ","
    reader = csv.DictReader(lines, delimiter=delimiter)
    for row in reader:
        cells = {str(k).strip().lower(): str(v or "").strip() for k, v in row.items() if k}
        if any(cells.values()):
            try:
                first = date.fromisoformat(cells.get("date", ""))
                yield first, date.fromisoformat(cells["until"]) if cells.get("until") else first
            except ValueError as exc:
                raise ValueError(f"line {reader.line_num}: {exc}") from exc


def _of_ics(text: str) -> Iterator[tuple[date, date]]:
    unfolded = re.sub(r"\r?\n[ \t]", "", text)
    for event in re.findall(r"(?ms)^BEGIN:VEVENT\s*$(.*?)^END:VEVENT", unfolded):
        entries = {m[1]: m[2] for m in re.finditer(r"(?m)^([A-Z-]+)[^:\r\n]*:([^\r\n]*)", event)}
        if entries.get("STATUS") == "CANCELLED":
            continue
        first = _day(entries.get("DTSTART", ""))
        # The end of a whole-day event is the day behind it.
        last = _day(entries["DTEND"]) - timedelta(days=1) if entries.get("DTEND") else first
        last = max(first, last)
        yield first, last
        yield from _each_year(first, last, entries.get("RRULE", ""))


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{8}", text.strip()):
        raise ValueError(f"{text or 'an event without a day'} is no whole day")
    return date.fromisoformat(text.strip())


def _each_year(first: date, last: date, rule: str) -> Iterator[tuple[date, date]]:
    parts = {k: v for k, _, v in (p.partition("=") for p in rule.upper().split(";") if p)}
    if not parts:
        return
    simple = {"FREQ", "BYMONTH", "BYMONTHDAY", "INTERVAL", "WKST"}
    if parts.get("FREQ") != "YEARLY" or parts.get("INTERVAL", "1") != "1" or not parts.keys() <= simple:
        raise ValueError(f"only events that come again each year are read, not {rule}")
    for n in range(1, YEARS):
        try:
            again = first.replace(year=first.year + n)
        except ValueError:
            continue  # the 29th of February
        yield again, again + (last - first)
