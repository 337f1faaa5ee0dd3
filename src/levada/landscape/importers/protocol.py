"""What an importer is, and what it is given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, Protocol, TypeAlias, runtime_checkable

from levada.landscape.importers._source import Malformed, SourceFile
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Evidence, Finding, Flow, Node, Severity, Status

__all__ = ["Context", "Finishes", "Importer", "Item", "Malformed", "SourceFile", "Verified"]

_COMPUTED = "\0of "
Item: TypeAlias = Node | Flow | Finding
Verified: TypeAlias = Literal["on real exports", "from the specification"]


@runtime_checkable
class Importer(Protocol):
    """Reads one kind of file into nodes, flows and findings.

    One instance serves one import and may keep state between its files. ``recognise`` is
    called for every file and must be cheap (``file.head``, its name); ``read`` only for
    those it won. Neither is called concurrently. ``read`` may raise :class:`Malformed`:
    what it yielded before stands, the rest becomes a finding.
    """

    name: str
    """Stable, short, lower case; stands in the evidence."""
    formats: tuple[str, ...]
    """What it reads, for people."""
    verified: Verified
    """Was it tried on exports that real organisations or vendors made?"""

    def recognise(self, file: SourceFile, /) -> float:
        """How sure it is that the file is its own: 0 (no) to 1 (its format says so)."""
        ...

    def read(self, file: SourceFile, context: Context, /) -> Iterable[Item]:
        """What the file says, each with :class:`Evidence` naming file and line."""
        ...


@runtime_checkable
class Finishes(Protocol):
    """An importer with more to say once all files are read (names that need every file)."""

    def finish(self, context: Context, /) -> Iterable[Item]:
        """What could only be said now."""
        ...


class Context:
    """What an import shares: the files, topics written and read, and evidence in one form.

    ``files`` are all files of the import by source, so that an importer finds those that
    belong together (a project's properties); reading one there is bounded as anywhere.
    """

    def __init__(self, files: Iterable[SourceFile] = ()) -> None:
        self.files: dict[str, SourceFile] = {f.source: f for f in files}
        self.importer = ""
        self._topics: dict[tuple[str, str], dict[str, dict[str, list[Evidence]]]] = {}
        self._protocols: dict[str, str] = {}
        self._written: dict[tuple[str, str], set[str]] = {}
        self._holders: dict[str, set[str]] = {}
        self._folders: dict[str, list[SourceFile]] = {}
        for file in self.files.values():
            self._folders.setdefault(file.source.rpartition("/")[0], []).append(file)

    def at(
        self,
        file: SourceFile,
        line: int | None = None,
        *,
        status: Status = "configured",
        seen: str | None = None,
    ) -> tuple[Evidence]:
        """The evidence of one place of a file."""
        return (Evidence(file.source, line, seen, status, self.importer or None),)

    def finding(
        self, kind: str, text: str, file: SourceFile | None = None, line: int | None = None, *,
        severity: Severity = "warning",
    ) -> Finding:  # fmt: skip
        """A finding at a place of a file."""
        return Finding(kind, severity, text, file.source if file else None, line)

    def beside(self, file: SourceFile, *names: str) -> list[SourceFile]:
        """Files in the same folder with one of these names."""
        return [f for f in self.within(file.source.rpartition("/")[0]) if f.name in names]

    def within(self, folder: str) -> list[SourceFile]:
        """Files directly in a folder (as sources name it)."""
        return self._folders.get(folder, [])

    def under(self, folder: str) -> Iterator[SourceFile]:
        """Files anywhere below a folder; ``""`` is all."""
        prefix = f"{folder}/" if folder else ""
        for name, files in self._folders.items():
            if not folder or name == folder or name.startswith(prefix):
                yield from files

    def topic(
        self, role: Literal["writes", "reads"], app: str, topic: str, evidence: Iterable[Evidence], *,
        broker: str = "kafka", protocol: str | None = None, schedules: Iterable[str] = (),
    ) -> None:  # fmt: skip
        """Note who writes or reads a topic; at the end each reader becomes a consumer of each writer.

        A topic with only one side known becomes a flow with the broker. ``schedules`` are those by which
        a writer writes it: what is written by the clock goes on by the clock.
        """
        held = tuple(evidence)
        if re.search(r"\$\{|\{\{|#\[|^\?$", topic):
            # A name that is computed is no name: two of them are not one topic.
            topic = f"{topic}{_COMPUTED}{app}"
        sides = self._topics.setdefault((broker, topic), {"writes": {}, "reads": {}})
        self._protocols.setdefault(broker, protocol or broker)
        sides[role].setdefault(app, []).extend(held)
        if role == "writes":
            self._written.setdefault((topic, app), set()).update(schedules or (UNSCHEDULED,))

    def holds(self, broker: str, topics: Iterable[str]) -> None:
        """Note that a broker that was asked itself has these topics; who names no broker means the one that has it."""
        for topic in topics:
            self._holders.setdefault(topic, set()).add(broker)

    def sides(self, topic: str, broker: str) -> dict[str, dict[str, list[Evidence]]]:
        """Who ``writes`` and who ``reads`` a topic, as far as noted by now, with the evidence."""
        return self._topics.get((broker, topic), {"writes": {}, "reads": {}})

    def topic_flows(self) -> Iterator[Item]:
        """The flows of all topics noted."""
        yield from self._settled()
        for (broker, topic), sides in sorted(self._topics.items()):
            name, computed, _ = topic.partition(_COMPUTED)
            attributes = {"topic": name} if computed else {}
            how: dict[str, Any] = {
                "object": None if computed else name,
                "mode": "async",
                "protocol": self._protocols[broker],
            }
            for reader, seen in sides["reads"].items():
                writers = {w: e for w, e in sides["writes"].items() if w != reader}
                for writer, told in writers.items():
                    yield Flow(
                        consumer=reader, provider=writer, evidence=tuple(dict.fromkeys([*seen, *told])),
                        attributes=attributes | self._rhythm(topic, writer), **how,
                    )  # fmt: skip
                if not writers:
                    yield Node(id=broker, name=broker, kind="broker")
                    yield Flow(
                        consumer=reader, provider=broker, evidence=tuple(dict.fromkeys(seen)),
                        attributes=attributes, **how,
                    )  # fmt: skip
            for writer, told in sides["writes"].items():
                if not any(r != writer for r in sides["reads"]):
                    yield Node(id=broker, name=broker, kind="broker")
                    yield Flow(
                        consumer=writer, provider=broker, evidence=tuple(dict.fromkeys(told)),
                        attributes=attributes | self._rhythm(topic, writer), **how,
                    )  # fmt: skip

    def _rhythm(self, topic: str, writer: str) -> dict[str, str]:
        told = self._written.get((topic, writer), set())
        return {"schedule": " | ".join(sorted(told))} if told - {UNSCHEDULED} else {}

    def _settled(self) -> Iterator[Finding]:
        """Topics of a broker that nobody named, put under the one that has them; of several it is told."""
        for topic, holders in sorted(self._holders.items()):
            for broker in sorted({h.partition("/")[0] for h in holders} - holders):
                if (broker, topic) not in self._topics:
                    continue
                if len(holders) > 1:
                    text = f"{topic} is a topic of {', '.join(sorted(holders))}; which of them is meant is not said"
                    yield Finding("ambiguous-topic", "warning", text)
                    continue
                (holder,) = holders
                self._protocols.setdefault(holder, self._protocols[broker])
                into = self._topics.setdefault((holder, topic), {"writes": {}, "reads": {}})
                for role, apps in self._topics.pop((broker, topic)).items():
                    for app, seen in apps.items():
                        into[role].setdefault(app, []).extend(seen)
