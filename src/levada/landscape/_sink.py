"""Where everything imported goes through: secrets are taken out before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import structs

from levada.landscape.importers._redact import (
    MARK,
    WORDY,
    bare,
    bare_path,
    redact_remark,
    redact_value,
    secrets_in,
)
from levada.landscape.importers.protocol import Item, SourceFile
from levada.network.graph import Evidence, Finding, Flow, Network, Node
from levada.network.names import slug

__all__ = ["Sink"]

MAX_SCAN = 8 * 1024 * 1024
"""Characters of a file that are searched for secrets to report; what is stored is redacted always."""


MAX_KNOWN = 2_000
MAX_PASSED = 200_000
_DEFAULTS = ("", Flow(consumer="", provider="").mode, Evidence("").status)
"""What an item holds though nobody said it."""
_STREAMED = frozenset((".log", ".gz", ".1", ".jsonl"))
_SETTINGS = frozenset(
    ("", ".env", ".properties", ".ini", ".conf", ".cfg", ".toml", ".pem", ".key", ".yaml", ".yml", ".json", ".xml",
     ".sh", ".sql", ".tf", ".tfvars")
)  # fmt: skip
"""Files searched for secrets even where no importer reads them whole."""


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) < 500:
            yield value
    elif isinstance(value, dict):
        for key, child in value.items():
            yield from _texts(key)
            yield from _texts(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _texts(child)


def _bare(item: Item) -> Item:
    """Without queries, parameters and parts made by chance in what is shown as an id, a name or an object."""
    if isinstance(item, Flow):
        what = item.object and bare_path(item.object)
        ends = bare(item.consumer), bare(item.provider)
        if (what, *ends) != (item.object, item.consumer, item.provider):
            return structs.replace(item, object=what, consumer=ends[0], provider=ends[1])
    elif isinstance(item, Node):
        aliases = tuple(map(bare, item.aliases))
        names = bare(item.id), bare(item.name)
        if (aliases, *names) != (item.aliases, item.id, item.name):
            return structs.replace(item, id=names[0], name=names[1], aliases=aliases)
    return item


def _said(plain: dict[str, Any]) -> dict[str, Any]:
    """Without secrets as people write them; where it was seen stays."""
    return {k: v if k == "evidence" else redact_remark(v) for k, v in plain.items()}


class Sink:
    """Collects items into a network; each finding once, no text unredacted."""

    def __init__(self) -> None:
        self.network = Network()
        self._findings: set[Finding] = set()
        self._clean_texts: set[str] = set()
        self._scanned: set[str] = set()
        self._known: set[str] = set()
        self._mask: re.Pattern[str] | None = None
        self._passed: set[str | Evidence] = set(_DEFAULTS)
        self._told: set[tuple[str | None, int | None]] = set()
        """Where a secret was reported."""

    def take(self, items: Iterable[Item]) -> None:
        """Add items as they come, so that what was read before a failure stands."""
        for item in items:
            self.add(item)

    def add(self, item: Item) -> None:
        """Add one."""
        clean = self._clean(_bare(item))
        if isinstance(clean, Node):
            self.network.add_node(clean)
        elif isinstance(clean, Flow):
            self.network.add_flow(clean)
        elif clean not in self._findings:
            self._findings.add(clean)
            self.network.findings.append(clean)

    def look(self, file: SourceFile) -> None:
        """Scan a file before it is read, so that its secrets are known in whatever form an id is made of them."""
        if file.size <= MAX_SCAN and file.suffix not in _STREAMED and not file.binary:
            _ = file.text
            self.scan(file)

    def scan(self, file: SourceFile) -> None:
        """Report the secrets of a file, once: format and line, never the secret."""
        text = file.__dict__.get("text")
        if file.source in self._scanned:
            return
        if text is None and file.size <= MAX_SCAN and file.suffix in _SETTINGS and not file.binary:
            text = file.text
        if not isinstance(text, str):
            return
        self._scanned.add(file.source)
        at, line = 0, 1
        for name, start, stop in secrets_in(text[:MAX_SCAN]):
            if name not in WORDY and len(self._known) < MAX_KNOWN:
                found = text[start:stop].lower()
                # An object is the path of a webhook's address alone, or has parts of it.
                self._known |= {found, slug(found), *(p for p in found.split("/") if len(p) >= 16)}
                self._mask = None
                self._passed = set(_DEFAULTS)
            line += text.count("\n", at, start)
            at = start
            self._tell(name, file.source, line)

    def _tell(self, name: str, source: str | None, line: int | None) -> None:
        self._told.add((source, line))
        text = f"{name} in clear text; rotate it and keep it in a vault"
        self.add(Finding("secret", "error", text, source, line))

    def _clean(self, item: Item) -> Item:
        if self._passes(item):
            return item
        plain: Any = msgspec.to_builtins(item)
        cleaned = redact_value(plain, self._clean_texts)
        said = _said(cleaned)
        if not isinstance(item, Finding):
            self._report(item, formats=cleaned != plain, remark=said != cleaned)
        cleaned = said
        if self._known:
            cleaned = self._masked(cleaned)
        if cleaned != plain:
            return msgspec.convert(cleaned, type(item))
        if len(self._passed) < MAX_PASSED:
            self._passed.update(_texts(plain))
        return item

    def _report(self, item: Node | Flow, *, formats: bool, remark: bool) -> None:
        """Report what was taken out of an item, where no scan of its file did: of a workbook, a log, a remark."""
        for seen in item.evidence[:1]:
            place = (seen.source, seen.line)
            if place not in self._told and (remark or (formats and seen.source not in self._scanned)):
                self._tell("secret", *place)

    def _passes(self, item: Item) -> bool:
        """Was every text of it met in items that were clean? Most items say again what others said."""
        passed = self._passed
        for value in structs.astuple(item):
            if isinstance(value, str):
                if value not in passed:
                    return False
            elif value and not isinstance(value, int | float) and not self._met(value):
                return False
        return True

    def _met(self, value: Any) -> bool:
        if isinstance(value, str):
            return value in self._passed
        if isinstance(value, tuple):
            return all(v in self._passed or self._met(v) for v in value)
        if isinstance(value, Evidence):
            return self._met_all(value)
        if isinstance(value, dict):
            return all(k in self._passed and self._met(v) for k, v in value.items())
        return value is None or isinstance(value, int | float)

    def _met_all(self, seen: Evidence) -> bool:
        met = {seen.source, seen.seen or "", seen.status, seen.importer or ""} <= self._passed
        if met and len(self._passed) < MAX_PASSED:
            self._passed.add(seen)
        return met

    def _masked(self, value: Any) -> Any:
        """Without the secrets met so far, however an id has changed their case."""
        if self._mask is None:
            self._mask = re.compile("|".join(map(re.escape, sorted(self._known))), re.IGNORECASE)
        if isinstance(value, str):
            return self._mask.sub(MARK, value)
        if isinstance(value, dict):
            return {self._masked(str(k)): self._masked(v) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return type(value)(self._masked(v) for v in value)
        return value
