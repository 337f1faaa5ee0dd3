"""Before and after: the same orders point to point and over the network, side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from examples.order_to_cash.before.assessment import Assessed
from examples.order_to_cash.before.world import Lived
from msgspec import Struct

from levada.landscape.blueprint_costs import load_costs

__all__ = ["Row", "compare"]


class Row(Struct, frozen=True):
    """One line; ``after`` is None where the network's demo was not run."""

    what: str
    before: str
    after: str | None
    how: str
    """Whether it was counted, estimated, or holds by design."""
    note: str = ""


def compare(lived: Lived, assessed: Assessed, demo: Mapping[str, Any] | None) -> list[Row]:
    """The table; ``demo``: what ``demo-report.json`` says of the same orders."""
    pains = lived.pains
    faults = [str(f) for f in demo["faults"]] if demo is not None else []

    def after(pattern: str) -> str | None:
        return (
            None if demo is None else str(len({f.partition(":")[0] for f in faults if re.search(pattern, f)}))
        )

    calls = sum(count for count, _ in lived.calls.values())
    failed = sum(errors for _, errors in lived.calls.values())
    cost, months = assessed.blueprint["cost"], load_costs()["horizon"]
    waiting = None if demo is None else str(sum(r["state"].startswith("parked") for r in demo["rows"]))
    return [
        Row("orders", str(lived.orders), None if demo is None else str(demo["invoices"]), "the same feed"),
        Row("orders with an error", _of(pains.orders, lived.orders), _of_faults(demo, faults), "counted", "in what the systems hold"),
        Row("  invoiced or credited twice", str(len(pains.invoiced_twice)), after("has [2-9] invoices|stands"), "counted"),
        Row("  never invoiced or credited", str(len(pains.never_invoiced)), after("has 0 invoices|was credited"), "counted"),
        Row("  sent out, unknown to the ERP", str(len(pains.dispatch_lost)), after("is '"), "counted", "after: in a wrong state"),
        Row("  sent out, half known", str(len(pains.dispatch_halved)), after("dispatch"), "counted"),
        Row("  asked of the warehouse twice", str(len(pains.dispatch_asked_twice)), after("asked twice"), "counted", "after: only where the second asked for something else"),
        Row("  payment booked twice", str(len(pains.payment_booked_twice)), None, "counted", "in the ERP's ledger; the network keeps none"),
        Row("  waiting, with a reason told", "0", waiting, "counted", "before: nobody is told"),
        Row("calls that fail", _of(failed, calls), None, "counted", "by the jobs' tools"),
        Row("order to invoice, median", f"{pains.lead_hours:.1f} h", None, "ERP's times"),
        Row("order to invoice, longest", f"{pains.lead_hours_most:.1f} h", _whole(demo), "ERP's times", "after: the whole demo, until all orders are at rest"),
        Row("hours a month for connections", f"{cost['as_is'] / months:.0f}", f"{cost['to_be'] / months:.0f}", "estimated",
            "by the blueprint from the list of interfaces and its cost parameters, building included"),
        Row("connections to know an order", "4", "1", "by design", "ERP, billing, payments, warehouse; or the Experience API"),
    ]  # fmt: skip


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.1%})" if whole else "0"


def _of_faults(demo: Mapping[str, Any] | None, faults: list[str]) -> str | None:
    if demo is None:
        return None
    return _of(len({f.partition(":")[0] for f in faults}), demo["invoices"])


def _whole(demo: Mapping[str, Any] | None) -> str | None:
    return None if demo is None else f"{demo['seconds']:.0f} s"
