"""What Kafka's own tools print: consumer groups and access control lists. A running cluster: ``landscape.live``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from levada.landscape.importers._kafka_names import group_alias, is_internal, principal_id, principal_name
from levada.landscape.importers.protocol import Context, Item, SourceFile, Verified
from levada.network.graph import Node
from levada.network.names import slug

__all__ = ["Kafka"]

_HEADER = re.compile(r"^GROUP\s+TOPIC\s+PARTITION\s", re.MULTILINE)
_RESOURCE = re.compile(r"ResourcePattern\(resourceType=(\w+), name=([^,]+), patternType=(\w+)\)")
_ENTRY = re.compile(r"principal=User:(.+?), host=[^,]*, operation=(\w+), permissionType=(\w+)")


class Kafka:
    """A group that has committed is seen to read; an ACL is a permission, not proof of use."""

    name = "kafka"
    formats: tuple[str, ...] = (
        "kafka-consumer-groups --describe",
        "kafka-acls --list",
        "a running cluster: kafka://HOST:PORT",
    )
    verified: Verified = "on real exports"

    def __init__(self) -> None:
        self._lags: dict[str, int] = {}

    def recognise(self, file: SourceFile) -> float:
        """The header or the resource pattern that the tools print; a page that quotes them observed nothing."""
        if file.suffix in (".md", ".adoc", ".rst", ".html", ".ipynb"):
            return 0.0
        head = file.head
        found = "GROUP" in head and _HEADER.search(head)
        return 1.0 if found or ("ResourcePattern(" in head and _RESOURCE.search(head)) else 0.0

    def read(self, file: SourceFile, context: Context) -> Iterable[Item]:
        """Readers and writers of topics; prefix patterns stand as ``name*``."""
        topic: str | None = None
        for number, line in file.lines():
            cells = line.split()
            if len(cells) >= 6 and cells[2].isdigit() and not is_internal(cells[1]):
                app = slug(cells[0])
                if cells[5].isdigit():
                    self._lags[app] = self._lags.get(app, 0) + int(cells[5])
                yield Node(
                    id=app, name=cells[0], kind="app", aliases=(group_alias(cells[0]),),
                    evidence=context.at(file, number, status="observed"),
                )  # fmt: skip
                context.topic("reads", app, cells[1], context.at(file, number, status="observed"))
                continue
            resource = _RESOURCE.search(line)
            if resource:
                prefixed = "*" if resource[3] == "PREFIXED" else ""
                topic = resource[2] + prefixed if resource[1] == "TOPIC" else None
                if topic and is_internal(topic):
                    topic = None
            entry = _ENTRY.search(line)
            if entry and topic and entry[3] == "ALLOW" and entry[1] != "*":
                app = principal_id(entry[1])
                seen = context.at(file, number)
                yield Node(id=app, name=principal_name(entry[1]), evidence=seen)
                if entry[2] in ("READ", "ALL"):
                    context.topic("reads", app, topic, seen)
                if entry[2] in ("WRITE", "ALL"):
                    context.topic("writes", app, topic, seen)

    def finish(self, _context: Context) -> Iterable[Item]:
        """How far each group is behind, over all its partitions."""
        for app, lag in sorted(self._lags.items()):
            yield Node(id=app, attributes={"lag": lag})
