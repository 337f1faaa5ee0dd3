"""What goes wrong in these ten days, and when. Each is one that happens to people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

__all__ = ["INCIDENTS", "Incident"]


class Incident(Struct, frozen=True):
    """From ``at`` on the system has these faults; without any it is healed."""

    at: datetime
    system: str
    faults: dict[str, Any] = field(default_factory=dict)
    text: str = ""


def _at(month: int, day: int, hour: int, minute: int) -> datetime:
    return datetime(2010, month, day, hour, minute, tzinfo=UTC)


INCIDENTS = (
    Incident(_at(11, 29, 11, 55), "billing", {"drop_after_next": 3}, "billing writes three invoices and loses the answer"),
    Incident(_at(11, 29, 17, 55), "warehouse", {"drop_after_next": 1}, "the warehouse cuts a transfer after the first file"),
    Incident(_at(12, 1, 12, 40), "erp", {"drop_after_next": 1}, "the ERP commits and loses the connection: payments"),
    Incident(_at(12, 3, 12, 55), "warehouse", {"half_written_ms": 600_000}, "the warehouse writes its files slowly"),
    Incident(_at(12, 3, 15, 0), "warehouse"),
    Incident(_at(12, 4, 19, 25), "erp", {"drop_after_next": 1}, "the ERP commits and loses the connection: dispatches"),
    Incident(_at(12, 6, 16, 55), "billing", {"down": True}, "billing is down"),
    Incident(_at(12, 6, 18, 0), "billing"),
    Incident(_at(12, 7, 16, 55), "billing", {"slow_ms": 4000}, "billing takes longer than its web server waits"),
    Incident(_at(12, 7, 18, 0), "billing"),
)  # fmt: skip
