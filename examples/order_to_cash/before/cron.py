"""Crontabs, as far as people write them here: five fields of numbers, lists, ranges and steps."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import Struct

__all__ = ["Job", "read_crontab", "runs"]

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))


class Job(Struct, frozen=True):
    """One line of a crontab; cron runs the command in the folder of the machine's user."""

    machine: str
    command: str
    fields: tuple[frozenset[int], ...]

    @property
    def name(self) -> str:
        """The script that the command runs."""
        return self.command.split()[0].rpartition("/")[2]

    def due(self, at: datetime) -> bool:
        """Whether it runs in this minute."""
        minute, hour, day, month, weekday = self.fields
        days = at.day in day and (at.isoweekday() % 7 in weekday or at.isoweekday() in weekday)
        return at.minute in minute and at.hour in hour and at.month in month and days


def read_crontab(path: Path) -> list[Job]:
    """The jobs of a crontab; its settings (MAILTO=…) are not ours to obey."""
    jobs: list[Job] = []
    for line in path.read_text().splitlines():
        parts = line.split(None, 5)
        if len(parts) == 6 and not line.startswith("#"):
            fields = tuple(_field(parts[n], *_BOUNDS[n]) for n in range(5))
            jobs.append(Job(path.parent.name, parts[5].rpartition("#")[0].strip() or parts[5], fields))
    return jobs


def _field(text: str, least: int, most: int) -> frozenset[int]:
    out: set[int] = set()
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low, high = (least, most) if span == "*" else (int(first), int(last or first))
        out.update(range(low, high + 1, int(step or 1)))
    return frozenset(out)


def runs(jobs: list[Job], since: datetime, until: datetime) -> Iterator[tuple[datetime, Job]]:
    """Every run of the jobs in [since, until), by time."""
    at = since.replace(second=0, microsecond=0)
    while at < until:
        yield from ((at, job) for job in jobs if job.due(at))
        at += timedelta(minutes=1)
