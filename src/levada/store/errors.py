"""What a store says when it cannot do what was asked."""

from __future__ import annotations

from levada._errors import LevadaError

__all__ = [
    "QueryUnknown",
    "StoreClosed",
    "StoreError",
    "StoreHindered",
    "StoreLocked",
    "StoreNewer",
    "StoreUnknown",
    "StoreUnusable",
]


class StoreError(LevadaError, code="LV1301"):
    """The store refused: {reason} Nothing of the unit remains."""


class StoreUnknown(StoreError, code="LV1302"):
    """The connection to the store was lost while committing: {reason} Whether it was committed is not known."""


class StoreHindered(StoreError, code="LV1310"):
    """The store cannot take anything now: {reason} Nothing of the unit remains, whose fault it is not: it may come again."""


class StoreLocked(StoreError, code="LV1303"):
    """The store {path} is owned by process {owner}. One process owns the file: stop that one, or go through its socket."""


class StoreNewer(StoreError, code="LV1304"):
    """The store {place} is of version {found}; this program knows up to {known}. Use the newer program."""


class StoreUnusable(StoreError, code="LV1305"):
    """The store {place} cannot be used: {reason}"""


class QueryUnknown(StoreError, code="LV1306"):
    """There is no query {query} for {dialect}."""


class StoreClosed(StoreError, code="LV1307"):
    """The store is closed."""
