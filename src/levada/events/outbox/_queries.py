"""The outbox's queries, by dialect, from the ``.sql`` files beside this module."""

from __future__ import annotations

import functools
from importlib import resources

from levada._errors import LevadaError

__all__ = ["DialectUnknown", "queries"]


class DialectUnknown(LevadaError, code="LV1402"):
    """There is no outbox for a database of the dialect {dialect}, only for {known}. Publish with the store's own log instead, or capture changes."""


_KNOWN = ("postgresql", "sqlite")


@functools.cache
def queries(dialect: str) -> dict[str, str]:
    """Query by name for one dialect.

    Raises:
        DialectUnknown: There is no outbox for it.
    """
    if dialect not in _KNOWN:
        raise DialectUnknown(dialect=dialect, known=" and ".join(_KNOWN))
    text = (
        resources.files("levada.events.outbox").joinpath("sql", f"{dialect}.sql").read_text(encoding="utf-8")
    )
    found: dict[str, str] = {}
    for part in text.split("-- name: ")[1:]:
        name, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if not line.startswith("--")]
        found[name.strip()] = "\n".join(lines).strip()
    return found
