"""systemd units: services, and the addresses in their environment and command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from msgspec import structs

from levada.landscape.importers._schedules import with_schedules
from levada.landscape.importers._settings import expand, settings_flows
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Evidence, Flow, Node
from levada.network.names import slug

__all__ = ["Systemd"]

_PAIR = re.compile(r"\"([A-Za-z_]\w*)=([^\"]*)\"|'([A-Za-z_]\w*)=([^']*)'|([A-Za-z_]\w*)=(\S*)")

_SPAN = re.compile(r"\A(\d+)\s*(M|m|s|sec|h|hr|hours?|d|days?|w|weeks?|y|years?)\Z")


class Systemd:
    """A service is an application; its ``EnvironmentFile`` is read where it lies beside the unit."""

    name = "systemd"
    formats: tuple[str, ...] = ("systemd service units, their timers and environment files",)
    verified: Verified = "from the specification"

    def recognise(self, file: SourceFile) -> float:
        """A ``.service`` with a section of that name."""
        fits = file.suffix == ".service" and re.search(r"^\[Service\]\s*$", file.head, re.MULTILINE)
        return 1.0 if fits else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """The service, and flows to the addresses that it is given."""
        me = slug(file.path.stem.partition("@")[0])
        settings = list(_settings(file, context))
        values = {name: value for name, value, _ in settings}
        yield Node(id=me, name=me, evidence=context.at(file, 1))
        filled = ((name, expand(value, values), seen) for name, value, seen in settings)
        timers = list(_timers(file, context))
        schedules = [schedule for schedule, _ in timers]
        for item in settings_flows(me, filled, own=(me,)):
            if isinstance(item, Flow) and timers:
                seen = tuple(dict.fromkeys((*item.evidence, *(e for _, e in timers))))
                item = with_schedules(structs.replace(item, evidence=seen), schedules)
            yield item


def _timers(file: SourceFile, context: Context) -> Iterator[tuple[str, Evidence]]:
    """What starts the unit, by the timers beside it: ``Unit=``, else the one of its name."""
    for timer in context.within(file.source.rpartition("/")[0]):
        if timer.suffix != ".timer":
            continue
        entries = [
            (n, *(p.strip() for p in x.partition("=")[::2])) for n, x in enumerate(timer.text.splitlines(), 1)
        ]
        unit = next((v for _, k, v in entries if k == "Unit"), f"{timer.path.stem}.service")
        if re.sub(r"@[^.]*", "@", unit) != re.sub(r"@[^.]*", "@", file.name):
            continue
        for number, key, value in entries:
            if key == "OnCalendar" and value:
                yield value, context.at(timer, number)[0]
            elif key in ("OnUnitActiveSec", "OnUnitInactiveSec") and value:
                yield _SPAN.sub(_every, value), context.at(timer, number)[0]


def _every(found: re.Match[str]) -> str:
    units = {"m": "minute", "M": "month", "s": "second", "h": "hour", "d": "day", "w": "week", "y": "year"}
    return f"every {found[1]} {units[found[2][0]]}s"


def _settings(file: SourceFile, context: Context) -> Iterator[tuple[str, str, tuple[Evidence, ...]]]:
    for number, line in enumerate(file.text.splitlines(), 1):
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or key.startswith(("#", ";")):
            continue
        if key == "Environment":
            for name, setting in _pairs(value):
                yield name, setting, context.at(file, number)
        elif key == "EnvironmentFile":
            yield from _environment_file(file, value, context)
        elif key.startswith("Exec"):
            yield "COMMAND_URL", value, context.at(file, number)


def _environment_file(
    file: SourceFile, path: str, context: Context
) -> Iterator[tuple[str, str, tuple[Evidence, ...]]]:
    """The file by its name: where it lies on the machine is not where it lies in the export."""
    for other in context.beside(file, path.lstrip("-").rpartition("/")[2]):
        for number, line in enumerate(other.text.splitlines(), 1):
            name, equals, value = line.strip().partition("=")
            if equals and re.fullmatch(r"[A-Za-z_]\w*", name):
                yield name, value.strip("\"'"), context.at(other, number)


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for found in _PAIR.finditer(text):
        yield found[1] or found[3] or found[5], found[2] or found[4] or found[6] or ""
