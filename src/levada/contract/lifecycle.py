"""When a major version is deprecated and when it ends, as its consumers are told."""

from __future__ import annotations

from datetime import UTC, date, datetime
from email.utils import format_datetime
from typing import TYPE_CHECKING

from levada.contract.errors import ContractError

if TYPE_CHECKING:
    from levada.contract.api import Contract

__all__ = ["lifecycle_dates", "lifecycle_headers"]


def lifecycle_dates(
    deprecated: str | None, sunset: str | None, place: str
) -> tuple[date | None, date | None]:
    """The dates of the class keywords ``deprecated=`` and ``sunset=``, each ``YYYY-MM-DD``.

    Raises:
        ContractError: One is no date, or the end comes without a deprecation or before it.
    """
    begins, ends = _date("deprecated", deprecated, place), _date("sunset", sunset, place)
    if ends is not None and (begins is None or ends < begins):
        why = "is not deprecated" if begins is None else f"is deprecated from {begins} on"
        raise ContractError(
            place=place,
            reason=f"sunset={sunset!r} ends a contract that {why}",
            mend='State when consumers are told before it ends: deprecated="2027-01-01", sunset="2027-07-01"',
        )
    return begins, ends


def lifecycle_headers(contract: Contract) -> list[tuple[bytes, bytes]]:
    """``Deprecation`` (RFC 9745) and ``Sunset`` (RFC 8594) of a contract; empty if it is not deprecated."""
    out: list[tuple[bytes, bytes]] = []
    if contract.deprecated is not None:
        out.append((b"deprecation", b"@%d" % _midnight(contract.deprecated).timestamp()))
    if contract.sunset is not None:
        out.append((b"sunset", format_datetime(_midnight(contract.sunset), usegmt=True).encode()))
    return out


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _date(keyword: str, stated: str | None, place: str) -> date | None:
    if stated is None:
        return None
    try:
        return date.fromisoformat(stated)
    except (ValueError, TypeError):
        raise ContractError(
            place=place, reason=f"{keyword}={stated!r} is no date", mend=f'Write {keyword}="2027-01-31"'
        ) from None
