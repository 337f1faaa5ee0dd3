"""What the landscape did to its orders: counted from what the systems hold, whatever any log says."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from statistics import median
from typing import Any

from examples.order_to_cash.demo.systems import Systems
from msgspec import Struct

__all__ = ["Pains", "pains"]


class Pains(Struct, frozen=True):
    """Numbers of orders by what happened to them; one order may stand in several."""

    invoiced_twice: tuple[str, ...]
    """More than one invoice or credit note in billing."""
    surplus_documents: int
    """Documents in billing that nobody owes."""
    never_invoiced: tuple[str, ...]
    """The month ended before the job looked, or it never looked."""
    dispatch_lost: tuple[str, ...]
    """The warehouse sent the goods; the ERP does not know."""
    dispatch_halved: tuple[str, ...]
    """The ERP knows of a part of the goods that went out."""
    dispatch_asked_twice: tuple[str, ...]
    payment_booked_twice: tuple[str, ...]
    lead_hours: float
    """Median from order to invoice, by the ERP's own times."""
    lead_hours_most: float

    @property
    def orders(self) -> int:
        """Orders with at least one error."""
        lists = (self.invoiced_twice, self.never_invoiced, self.dispatch_lost, self.dispatch_halved,
                 self.dispatch_asked_twice, self.payment_booked_twice)  # fmt: skip
        return len({number for found in lists for number in found})


async def pains(systems: Systems) -> Pains:
    """Compare the ERP's rows with what billing, the warehouse and payments hold."""
    import asyncpg

    erp = await asyncpg.connect(systems.ready["erp"]["direct"])
    try:
        orders = {
            r["auftrag_nr"]: r for r in await erp.fetch("SELECT * FROM ws_auftrag WHERE status = 'NEU'")
        }
    finally:
        await erp.close()
    held = {name: await systems.holdings(name) for name in ("erp", "billing", "warehouse")}
    documents = Counter(d["Reference"] for d in held["billing"]["invoices"])
    sent: Counter[str] = Counter()
    for dispatch in held["warehouse"]["dispatches"]:
        sent[dispatch["number"]] += len(dispatch["lines"])
    booked = Counter(row["beleg"] for row in held["erp"]["ledger"])
    lead = [_hours(r["bestellt"], r["rechnung_am"]) for r in orders.values() if r["rechnung_am"]]
    return Pains(
        invoiced_twice=_sorted(n for n, count in documents.items() if count > 1),
        surplus_documents=sum(count - 1 for count in documents.values()),
        never_invoiced=_sorted(n for n in orders if n not in documents),
        dispatch_lost=_sorted(n for n in sent if orders[n]["geliefert"] == 0),
        dispatch_halved=_sorted(n for n, lines in sent.items() if 0 < orders[n]["geliefert"] < lines),
        dispatch_asked_twice=_sorted({d["number"] for d in held["warehouse"]["duplicate_requests"]}),
        payment_booked_twice=_sorted(n for n, count in booked.items() if count > 1),
        lead_hours=round(median(lead), 2) if lead else 0.0,
        lead_hours_most=round(max(lead, default=0.0), 2),
    )


def _sorted(found: Any) -> tuple[str, ...]:
    return tuple(sorted(found))


def _hours(since: datetime, until: datetime) -> float:
    return (until - since).total_seconds() / 3600
