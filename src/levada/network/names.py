"""Ids and aliases: how a name becomes an id, and names that compare equal."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["normal", "slug"]

_NOT_ID = re.compile(r"[^a-z0-9._:/]+")
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
    """An id of a name: lower case, ``-`` between words, and only ``a-z 0-9 . _ : / -``.

    The same name gives the same id always, on every machine.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return _NOT_ID.sub("-", plain.strip().lower()).strip("-") or "unnamed"


def normal(text: str) -> str:
    """A name without what names of one system differ by: case, separators, ``-api``, ``Prod``, ``v2``.

    Two names with one normal form *may* be one system: reason to suggest, never to merge.
    """
    words = [w for w in re.split(r"[^a-z0-9]+", _CAMEL.sub(" ", text).lower()) if w]
    kept = [w for w in words if w not in _EDGES]
    return "".join(kept or words)
