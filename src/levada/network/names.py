"""Ids and aliases: how a name becomes an id, and names that compare equal."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["normal", "slug"]

_NOT_ID = re.compile(r"[^a-z0-9._:/\x80-\U0010ffff]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_EDGES = frozenset(
    [
        "api",
        "app",
        "application",
        "service",
        "svc",
        "server",
        "system",
        "backend",
        "connector",
        "connection",
        "config",
        "prod",
        "production",
        "live",
        "test",
        "dev",
        "staging",
        "stage",
        "uat",
        "qa",
        "v1",
        "v2",
        "v3",
        "impl",
    ]
)


def slug(text: str) -> str:
    """An id of a name: lower case, ``-`` between words, and only ``a-z 0-9 . _ : / -`` and letters that are not Latin.

    The same name gives the same id always, on every machine.
    """
    plain = text if text.isascii() else "".join(map(_plain, unicodedata.normalize("NFKC", text)))
    return _NOT_ID.sub("-", plain.strip().lower()).strip("-") or "unnamed"


def _plain(char: str) -> str:
    """A Latin letter without its marks, a letter or digit of another script as it is, nothing of what is neither."""
    if char.isascii():
        return char
    plain = unicodedata.normalize("NFKD", char).encode("ascii", "ignore").decode()
    if plain or unicodedata.category(char)[0] not in "LMN":
        return plain
    return "" if unicodedata.name(char, "LATIN").startswith(("LATIN", "COMBINING", "VARIATION")) else char


def normal(text: str) -> str:
    """A name without what names of one system differ by: case, separators, ``-api``, ``Prod``, ``v2``.

    Two names with one normal form *may* be one system: reason to suggest, never to merge.
    """
    words = [w for w in re.split(r"[^a-z0-9]+", _CAMEL.sub(" ", text).lower()) if w]
    kept = [w for w in words if w not in _EDGES]
    return "".join(kept or words)
