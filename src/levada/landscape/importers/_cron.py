"""Cron's schedules: how long the longest pause between two runs is."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise

from levada.landscape.periods import DATED, IN_SOME_MONTHS, range_days

__all__ = ["condition_before", "dated", "longest_pause"]

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
    return max(longest.total_seconds() + range_days(words[2]) * 86400.0, within)


_DATE = re.compile(r"\bdate\b[^|;&)`]*?\+[\"']?([^\s\"'`)]+)")
_OF_FILES = re.compile(r"(?<!\S)-[bcdefghkLnprSsuwxz]\s+(?:\"[^\"]*\"|\S*\$\([^)]*\)\S*|\S+)")
_TEST = re.compile(r"(?:^|[\s;&|('\"])(?:if|elif|case|while|until|test|expr|\[\[?|\(\()(?=\s|\$)|\bgrep\b")
_ASKED = re.compile(
    r"\[\s.*?\s\]|\(\(.*?\)\)|\b(?:test|case)\s[^;]*?(?=;|&&|\|\||\sin\b|$)|\b(?:date|echo|printf)\b[^;&|]*\|\s*[ef]?grep\b"
)
"""What a line asks, but for the content of files."""
_USUAL = re.compile(
    r"\s*(?:[\w.-]+\s+)?(?:(?:cd|pushd|export|source|\.|set|umask|mkdir|sleep|touch|rm|mv|cp|ulimit|tar|gzip|zip|pg_dump|mysqldump|[A-Za-z_]\w*=\S*)(?=\s|$)|[A-Za-z_]\w*=)"
)
"""Commands that prepare what follows them, and do not decide on it."""


def condition_before(text: str) -> str:
    """What to add to the schedule of a command with this before it in its line; empty where it runs each time."""
    text = text.replace("\\%", "%")
    if not _TEST.search(text) and "||" not in text:
        steps = text.split("&&")[:-1]
        if all(_USUAL.match(part) for step in steps for part in step.split(";")):
            return ""
    return _mark(_DATE.findall(text)) or DATED


def dated(text: str) -> str:
    """What to add to the schedules of a script that looks at the date to decide what it does; empty where it does not."""
    formats: dict[str, list[str]] = {}
    tested: list[str] = []
    for line in text.splitlines():
        found = _DATE.findall(line)
        name = re.match(r"\s*(?:export\s+|local\s+|readonly\s+)?([A-Za-z_]\w*)=", line)
        if name and found:
            formats[name[1]] = found
        elif not line.lstrip().startswith("#"):
            asked = _OF_FILES.sub("", " ".join(m[0] for m in _ASKED.finditer(line)))
            tested += _DATE.findall(asked)
            tested += (f for n in re.findall(r"\$?\{?([A-Za-z_]\w*)", asked) for f in formats.get(n, ()))
    return _mark(tested)


def _mark(formats: list[str]) -> str:
    """By what ``date`` is asked for: a day, a month without its year, or nothing longer than a day."""
    asked = [set(re.findall(r"%[-_0^#]?([A-Za-z])", f)) for f in formats]
    if any(a & set("mbBhjUVWq") and not a & set("YyGgF") for a in asked):
        return IN_SOME_MONTHS
    return DATED if any(a & set("daAeuwFDxmbBhjUVWqYyGgc") for a in asked) else ""


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
