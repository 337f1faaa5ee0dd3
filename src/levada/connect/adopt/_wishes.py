"""What whoever adopts says about it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

__all__ = ["Wishes"]


class Wishes(Struct, frozen=True, kw_only=True):
    """What whoever adopts says about it; None: as the description says, or by default.

    Attributes:
        name: The contract's class.
        domain: Who owns it.
        package: The Python package that is written.
        resource: The resource that the adapter uses.
        service: Of a WSDL with several: which.
        tables: Of a database: which; none: all.
        schema: Of a database: where the tables are, if not where they are found without saying.
    """

    name: str | None = None
    domain: str | None = None
    package: str | None = None
    resource: str | None = None
    service: str | None = None
    tables: Sequence[str] = ()
    schema: str | None = None
