"""What a database says no with."""

from __future__ import annotations

from levada._errors import LevadaError
from levada.connect.errors import RemoteFault

__all__ = ["Conflict", "Duplicate", "SqlRefused", "StoreFileRefused"]


class SqlRefused(RemoteFault, code="LV1610"):
    """The database {resource} refused: [{fault}] {reason}"""

    @property
    def lasting(self) -> bool:
        """A value or a statement that the database cannot take, a constraint violated."""
        return self.fault.startswith(
            ("22", "23", "42", "SQLITE_CONSTRAINT", "SQLITE_MISMATCH", "SQLITE_TOOBIG")
        )


class Duplicate(SqlRefused, code="LV1611"):
    """The database {resource} has this row already: [{fault}] {reason}"""

    @property
    def lasting(self) -> bool:
        """A repeat meets the same row."""
        return True


class Conflict(SqlRefused, code="LV1612"):
    """The database {resource} rolled the transaction back because of another one: [{fault}] {reason} Begin it again."""


class StoreFileRefused(LevadaError, code="LV1613"):
    """The resource {resource} is the file of Levada's own store. A system's data belongs into a database of its own."""
