"""When Camel's routes run: by what they begin with, and by the routes that call them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_plus

from msgspec import Struct, field

from levada.landscape.importers._schedules import every, seconds_of
from levada.landscape.importers.protocol import Context, Malformed, SourceFile
from levada.landscape.periods import UNSCHEDULED

__all__ = ["Endpoint", "Routes", "poll_of", "timed"]

_WITHIN = frozenset(("direct", "direct-vm", "seda", "vm", "disruptor", "disruptor-vm"))
_ANYONE = re.compile(r"\b(?:recipientList|routingSlip|dynamicRouter|@Produce)\b")
"""What sends to endpoints that are computed, so that nobody knows who calls a route."""
_SENT = re.compile(r"\b(\w+)\(\s*\"((?:direct|seda|vm|disruptor)(?:-vm)?:[^\"?]+)")
_STEPS = frozenset(("from", "fromF", "to", "toF", "toD", "wireTap", "enrich", "pollEnrich", "interceptFrom"))


class Endpoint(Struct, frozen=True, eq=False):
    """One endpoint of a route, with its properties filled in; ``route`` 0 is outside of all."""

    scheme: str
    rest: str
    options: Mapping[str, str]
    listens: bool
    route: int

    @property
    def name(self) -> str:
        """What it is called by routes that send to it."""
        return f"{self.scheme}:{self.rest.lstrip('/')}"


class _Route(Struct):
    begins: set[str] = field(default_factory=set)
    """Schedules of its own."""
    reads: set[str] = field(default_factory=set)
    """Endpoints within, by which other routes call it."""
    calls: set[str] = field(default_factory=set)
    group: str = ""


class Routes:
    """All routes of an import; those of one project (``group``) call each other by ``direct:`` and its kin."""

    def __init__(self) -> None:
        self._routes: dict[int, _Route] = {}
        self._open: set[str] = set()
        """Groups in which endpoints are computed."""

    def look(self, file: SourceFile, group: str) -> None:
        """Note what the text of a file says of calls that no step shows."""
        if _ANYONE.search(file.text):
            self._open.add(group)

    def add(self, endpoint: Endpoint, group: str) -> None:
        """Note an endpoint of a route; outside of all routes (rest, an error's handler) it is called at any time."""
        route = self._routes.setdefault(endpoint.route, _Route(group=group))
        if endpoint.listens and endpoint.scheme in _WITHIN:
            route.reads.add(endpoint.name)
        elif endpoint.listens:
            route.begins.add(timed(endpoint) or UNSCHEDULED)
        elif endpoint.scheme in _WITHIN and "${" in endpoint.rest:
            self._open.add(group)
        elif endpoint.scheme in _WITHIN and endpoint.route:
            route.calls.add(endpoint.name)
        elif endpoint.scheme in _WITHIN:
            # Each such place starts what it calls by itself.
            outside = self._routes.setdefault(-len(self._routes) - 1, _Route(group=group))
            outside.begins.add(UNSCHEDULED)
            outside.calls.add(endpoint.name)

    def opened(self, route: int, group: str) -> None:
        """Note a route whose beginning cannot be read."""
        self._routes.setdefault(route, _Route(group=group)).begins.add(UNSCHEDULED)

    def schedules(self, context: Context) -> dict[int, set[str]]:
        """The schedules of each route, through all that call it."""
        readers: dict[tuple[str, str], list[int]] = {}
        for number, route in self._routes.items():
            for name in route.reads:
                readers.setdefault((route.group, name), []).append(number)
        called = {(r.group, name) for r in self._routes.values() for name in r.calls}
        out = {number: set(route.begins) for number, route in self._routes.items()}
        programs = self._programs(context)
        for (group, name), numbers in readers.items():
            if (group, name) not in called or group in self._open or name in programs.get(group, ()):
                for number in numbers:
                    out[number].add(UNSCHEDULED)
        waiting = list(self._routes)
        while waiting:
            number = waiting.pop()
            route = self._routes[number]
            for reader in (r for name in route.calls for r in readers.get((route.group, name), ())):
                if not out[number] <= out[reader]:
                    out[reader] |= out[number]
                    waiting.append(reader)
        out[0] = {UNSCHEDULED}
        return out

    def _programs(self, context: Context) -> dict[str, set[str]]:
        """Endpoints that programs beside the routes send to, by group; only where something is scheduled."""
        groups = {r.group for r in self._routes.values() if r.begins - {UNSCHEDULED}}
        return {group: set(_sent(context, group)) for group in groups}


def _sent(context: Context, group: str) -> Iterator[str]:
    for file in context.under(group):
        if file.suffix in (".java", ".kt", ".groovy") and file.size < 1_000_000:
            try:
                yield from (m[2] for m in _SENT.finditer(file.text) if m[1] not in _STEPS)
            except (Malformed, OSError):
                continue  # told when it is read itself


def timed(endpoint: Endpoint) -> str | None:
    """The schedule of an endpoint that begins a route by the clock; None of any other."""
    scheme, options = endpoint.scheme, endpoint.options
    if scheme == "kamelet":
        scheme = endpoint.rest.split("/")[0]
    if scheme in ("timer", "timer-source"):
        if options.get("repeatCount", "0") not in ("0", "-1"):
            return UNSCHEDULED  # so often after each start, and no more
        return every(seconds_of(options.get("period", "1000")))
    if scheme in ("quartz", "quartz2"):
        if cron := options.get("cron") or options.get("trigger.cron"):
            return _cron(cron)
        again = (
            options.get("trigger.repeatInterval", "") if options.get("trigger.repeatCount") == "-1" else ""
        )
        return every(seconds_of(again))
    if scheme in ("cron", "cron-source"):
        return _cron(options.get("schedule", ""))
    return (poll_of(endpoint) or every(0.5)) if scheme == "scheduler" else None


def poll_of(endpoint: Endpoint) -> str | None:
    """How often an endpoint asks for what is new, where that is said."""
    if cron := endpoint.options.get("scheduler.cron"):
        return _cron(cron)
    delay = endpoint.options.get("delay") if endpoint.listens else None
    unit = endpoint.options.get("timeUnit", "MILLISECONDS").upper()
    seconds = {"SECONDS": 1.0, "MINUTES": 60.0, "HOURS": 3600.0, "DAYS": 86_400.0}.get(unit, 1e-3)
    return every(seconds_of(delay, unit=seconds)) if delay else None


def _cron(text: str) -> str:
    """In an address blanks stand as ``+``."""
    return (unquote_plus(text) if " " not in text.strip() else text).strip() or UNSCHEDULED
