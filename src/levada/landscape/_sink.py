"""Where everything imported goes through: secrets are taken out before anything is stored."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from levada.landscape.importers._redact import redact_value, secrets_in
from levada.landscape.importers.protocol import Item, SourceFile
from levada.network.graph import Finding, Flow, Network, Node

__all__ = ["Sink"]

MAX_SCAN = 8 * 1024 * 1024
"""Characters of a file that are searched for secrets to report; what is stored is redacted always."""


_SETTINGS = frozenset(
    ("", ".env", ".properties", ".ini", ".conf", ".cfg", ".toml", ".pem", ".key", ".yaml", ".yml", ".json", ".xml",
     ".sh", ".sql", ".tf", ".tfvars")
)  # fmt: skip
"""Files searched for secrets even where no importer reads them whole."""


class Sink:
    """Collects items into a network; each finding once, no text unredacted."""

    def __init__(self) -> None:
        self.network = Network()
        self._findings: set[Finding] = set()
        self._clean_texts: set[str] = set()

    def take(self, items: Iterable[Item]) -> None:
        """Add items as they come, so that what was read before a failure stands."""
        for item in items:
            self.add(item)

    def add(self, item: Item) -> None:
        """Add one."""
        clean = self._clean(item)
        if isinstance(clean, Node):
            self.network.add_node(clean)
        elif isinstance(clean, Flow):
            self.network.add_flow(clean)
        elif clean not in self._findings:
            self._findings.add(clean)
            self.network.findings.append(clean)

    def scan(self, file: SourceFile) -> None:
        """Report the secrets of a file: format and line, never the secret."""
        text = file.__dict__.get("text")
        if text is None and file.size <= MAX_SCAN and file.suffix in _SETTINGS and not file.binary:
            text = file.text
        if not isinstance(text, str):
            return
        at, line = 0, 1
        for name, start, _ in secrets_in(text[:MAX_SCAN]):
            line += text.count("\n", at, start)
            at = start
            self.add(
                Finding(
                    "secret",
                    "error",
                    f"{name} in clear text; rotate it and keep it in a vault",
                    file.source,
                    line,
                )
            )

    def _clean(self, item: Item) -> Item:
        plain: Any = msgspec.to_builtins(item)
        cleaned = redact_value(plain, self._clean_texts)
        return item if cleaned == plain else msgspec.convert(cleaned, type(item))
