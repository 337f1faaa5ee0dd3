"""The teams of a plan: who is free when, on working days, one item at a time each."""

from __future__ import annotations

import math
from collections.abc import Generator
from contextlib import contextmanager
from datetime import date, timedelta

from msgspec import Struct

from levada.landscape.plan_days import is_working, next_working

__all__ = ["Desk", "Team", "Trial"]


class Team(Struct, frozen=True):
    """Who works: how many teams side by side, hours a week each."""

    teams: int = 2
    hours_week: float = 90.0
    off: frozenset[date] = frozenset()
    """Days beside weekends on which nobody works."""


class Trial:
    """Work that is placed for a try: it stands only if it is kept."""

    def __init__(self) -> None:
        self.kept = False

    def keep(self) -> None:
        """Let what was placed stand."""
        self.kept = True


class Desk:
    """Places work on teams from ``start`` on, and on no day after ``last``."""

    def __init__(self, team: Team, start: date, last: date) -> None:
        self.start, self.last, self.off = start, last, team.off
        self._per_day = team.hours_week / 5
        self._busy: list[set[date]] = [set() for _ in range(team.teams)]

    @contextmanager
    def trial(self) -> Generator[Trial]:
        """Undo what is placed within, unless it is kept."""
        before = [set(b) for b in self._busy]
        trial = Trial()
        yield trial
        if not trial.kept:
            self._busy = before

    def work(self, begin: date, hours: float) -> tuple[date, date] | None:
        """First and last day of this work on the team that is done with it first; None if no team is within the days."""
        days = max(1, math.ceil(hours / self._per_day))
        slots = [(s[-1], n, s) for n, busy in enumerate(self._busy) if (s := self._slot(busy, begin, days))]
        if not slots:
            return None
        _, team, found = min(slots, key=lambda s: s[:2])
        self._busy[team] |= set(found)
        return found[0], found[-1]

    def watch(self, begin: date, days: int) -> tuple[date, date]:
        """First and last day of waiting that long at least; it begins and ends when somebody is there to see it."""
        first = next_working(begin, self.off)
        return first, next_working(first + timedelta(days=days - 1), self.off)

    def _slot(self, busy: set[date], begin: date, days: int) -> list[date]:
        """The first ``days`` working days in a row on which the team is free; empty if there are none in time."""
        found: list[date] = []
        day = begin
        while day <= self.last and len(found) < days:
            if is_working(day, self.off):
                found = [] if day in busy else [*found, day]
            day += timedelta(days=1)
        return found if len(found) == days else []
