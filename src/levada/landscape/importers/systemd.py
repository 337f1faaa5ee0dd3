"""systemd units: services, and the addresses in their environment and command line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from levada.landscape.importers._settings import expand, settings_flows
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Evidence, Node
from levada.network.names import slug

__all__ = ["Systemd"]

_PAIR = re.compile(r"\"([A-Za-z_]\w*)=([^\"]*)\"|'([A-Za-z_]\w*)=([^']*)'|([A-Za-z_]\w*)=(\S*)")


class Systemd:
    """A service is an application; its ``EnvironmentFile`` is read where it lies beside the unit."""

    name = "systemd"
    formats: tuple[str, ...] = ("systemd service units and their environment files",)
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
        yield from settings_flows(me, filled, own=(me,))


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
