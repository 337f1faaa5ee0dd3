"""Writes ``demo-report.json`` and ``demo-report.html``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from examples.order_to_cash.demo.page import page
from examples.order_to_cash.demo.reconcile import Reconciliation
from msgspec import Struct

__all__ = ["Facts", "write_report"]


class Facts(Struct, frozen=True):
    """What was seen besides the reconciliation. Times are seconds."""

    orders: str
    invoices: int
    lines: int
    erp: str
    workers: int
    seconds: float
    sending: float
    rested: float
    repeats: int
    refusals: tuple[str, ...]
    latencies: list[float]
    incidents: tuple[str, ...]
    calls: list[dict[str, Any]]
    runs: dict[str, dict[str, int]]
    topics: list[dict[str, Any]]


def write_report(result: Reconciliation, facts: Facts, folder: Path) -> list[Path]:
    """Write both; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "agrees": result.agrees,
        "invoices": facts.invoices,
        "lines": facts.lines,
        "erp": facts.erp,
        "seconds": round(facts.seconds, 1),
        "accepted_per_second": round(facts.invoices / max(facts.sending, 0.001), 1),
        "latency_ms": percentiles(facts.latencies),
        "states": result.states,
        "total_in_file": result.total_in_file,
        "billed": result.billed,
        "credited": result.credited,
        "paid": result.paid,
        "repeats": facts.repeats,
        "refusals": facts.refusals,
        "incidents": facts.incidents,
        "faults": result.faults,
        "runs": facts.runs,
        "calls": facts.calls,
        "rows": result.rows,
    }
    as_json = folder / "demo-report.json"
    as_json.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1))
    as_html = folder / "demo-report.html"
    as_html.write_text(page(result, facts), encoding="utf-8")
    return [as_json, as_html]


def percentiles(latencies: list[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile, in milliseconds."""
    if not latencies:
        return {}
    return {
        f"p{p}": round(latencies[min(len(latencies) - 1, len(latencies) * p // 100)] * 1000, 1)
        for p in (50, 95, 99)
    }
