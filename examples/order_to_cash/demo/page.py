"""The page of the demo's report: one file, readable without a server, on paper and in the dark."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.order_to_cash.demo.picture import picture
from examples.order_to_cash.demo.reconcile import Reconciliation, Row

if TYPE_CHECKING:
    from examples.order_to_cash.demo.report import Facts

__all__ = ["page"]

STYLE = Path(__file__).with_name("page.css")
COLOURS = {
    "cash received": "good",
    "awaiting payment": "wait",
    "credited": "credit",
    "credit without an original in the file": "credit2",
    "not a sale": "none",
    "rejected with a problem": "bad",
    "parked or stuck with a reason": "parked",
}
LAYER_ORDER = ("Storefront", "Orders", "OrderBook", "Customers", "Stock", "Warehouse", "Billing", "Payments")


def page(result: Reconciliation, facts: Facts) -> str:
    """The whole page."""
    verdict = (
        "Every invoice accounted for, to the penny."
        if result.agrees
        else f"{len(result.faults)} things do not agree."
    )
    sections = [
        _figures(result, facts),
        _section("What became of the orders", _bar(result) + _states(result)),
        _section("What broke meanwhile", _incidents(facts)),
        _section(
            "The network at work",
            f'<p class="lead">Calls between the APIs; the thickness follows the number.</p>{_wide("The network", picture(facts.calls))}',
        ),
        _section("Latency by operation", _latency(facts.calls)),
        _section("Reconciliation", _money(result) + _faults(result) + _rows(result.rows)),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Order to cash: {escape(verdict)}</title><style>{STYLE.read_text()}</style></head><body><main>"
        f'<header><p class="eyebrow">Order to cash on {facts.invoices:,} real invoices</p><h1 class="{"yes" if result.agrees else "no"}">{escape(verdict)}</h1>'
        f'<p class="lead">{facts.lines:,} order lines went through the gateway into {"the new" if facts.erp == "new" else "the old"} ERP, a SOAP billing system, '
        f"an SFTP warehouse and a payment provider, while {len(facts.incidents)} incidents were staged. The verdict is read from the rows of those systems.</p></header>"
        f"{''.join(sections)}"
        "<footer>Orders: Chen, D. (2015), Online Retail, UCI Machine Learning Repository, CC BY 4.0. Made by <code>make demo</code>.</footer></main></body></html>"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>"


def _wide(label: str, body: str) -> str:
    """What is wider than a phone moves within itself, not the page with it."""
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(label)}">{body}</div>'


def _figures(result: Reconciliation, facts: Facts) -> str:
    rate = facts.invoices / max(facts.sending, 0.001)
    p95 = facts.latencies[len(facts.latencies) * 95 // 100] * 1000 if facts.latencies else 0
    figures = (
        (f"{facts.seconds:.0f} s", "from start to rest"),
        (f"{rate:.0f}/s", "orders accepted"),
        (f"{p95:.0f} ms" if p95 < 1000 else f"{p95 / 1000:.1f} s", "95 % accepted within"),
        (f"£{result.billed:,.2f}", "invoiced"),
        ("0" if not result.faults else str(len(result.faults)), "duplicates or differences"),
    )
    cells = "".join(
        f"<div><strong>{escape(value)}</strong><span>{escape(label)}</span></div>" for value, label in figures
    )
    return f'<div class="figures">{cells}</div>'


def _bar(result: Reconciliation) -> str:
    total = sum(result.states.values()) or 1
    parts = "".join(
        f'<span class="{COLOURS.get(state, "none")}" style="width:{count / total * 100:.3f}%" title="{escape(state)}: {count}"></span>'
        for state, count in _ordered(result)
    )
    return f'<div class="bar" aria-hidden="true">{parts}</div>'


def _ordered(result: Reconciliation) -> list[tuple[str, int]]:
    return sorted(result.states.items(), key=lambda item: -item[1])


def _states(result: Reconciliation) -> str:
    rows = "".join(
        f'<tr><td><i class="{COLOURS.get(state, "none")}"></i>{escape(state)}</td><td class="n">{count:,}</td>'
        f'<td class="n">{sum((r.in_file for r in result.rows if r.state == state), Decimal()):,.2f}</td></tr>'
        for state, count in _ordered(result)
    )
    return f"<table><thead><tr><th>State</th><th class=n>Invoices</th><th class=n>GBP</th></tr></thead><tbody>{rows}</tbody></table>"


def _incidents(facts: Facts) -> str:
    if not facts.incidents:
        return "<p>Nothing was broken in this run.</p>"
    items = "".join(f"<li>{escape(text)}</li>" for text in facts.incidents)
    return f'<ol class="incidents">{items}</ol><p>The sender repeated {facts.repeats} requests, each under its own key; none was done twice.</p>'


def _latency(calls: Sequence[dict[str, Any]]) -> str:
    folded: dict[str, list[int]] = {}
    for call in calls:
        buckets = folded.setdefault(call["operation"], [0] * 64)
        for bucket, count in enumerate(call["latency"]):
            buckets[bucket] += count
    rows = "".join(_latency_row(name, buckets) for name, buckets in sorted(folded.items(), key=_by_layer))
    return (
        '<p class="lead">Counted at each contract’s border, in buckets of powers of two; a percentile is its bucket’s upper bound.</p>'
        + _wide(
            "Latency by operation",
            f"<table><thead><tr><th>Operation</th><th class=n>Calls</th><th class=n>p50</th><th class=n>p95</th><th class=n>p99</th><th></th></tr></thead><tbody>{rows}</tbody></table>",
        )
    )


def _by_layer(item: tuple[str, list[int]]) -> tuple[int, str]:
    api = item[0].split("/")[1]
    return LAYER_ORDER.index(api) if api in LAYER_ORDER else len(LAYER_ORDER), item[0]


def _latency_row(name: str, buckets: list[int]) -> str:
    total = sum(buckets)
    api, operation = name.split("/")[1], name.rpartition(".")[2]
    cells = "".join(f'<td class="n">{_time(_percentile(buckets, total, p))}</td>' for p in (50, 95, 99))
    return f"<tr><td><b>{escape(api)}</b>.{escape(operation)}</td><td class=n>{total:,}</td>{cells}<td>{_spark(buckets)}</td></tr>"


def _percentile(buckets: list[int], total: int, percent: int) -> int:
    seen = 0
    for bucket, count in enumerate(buckets):
        seen += count
        if seen * 100 >= total * percent:
            return int(2**bucket)
    return 0


def _time(us: int) -> str:
    return f"{us} µs" if us < 1000 else f"{us / 1000:.1f} ms" if us < 1_000_000 else f"{us / 1e6:.1f} s"


def _spark(buckets: list[int]) -> str:
    low, high = 6, 26
    shown = buckets[low:high]
    most = max(shown, default=0) or 1
    bars = "".join(
        f'<rect x="{i * 6}" y="{22 - 20 * count / most:.1f}" width="5" height="{max(20 * count / most, 0.6 if count else 0):.1f}"/>'
        for i, count in enumerate(shown)
    )
    return f'<svg class="spark" viewBox="0 0 {(high - low) * 6} 22" aria-hidden="true">{bars}</svg>'


def _money(result: Reconciliation) -> str:
    figures = (
        (result.billed, "invoiced by billing"),
        (result.paid, "paid to the provider"),
        (result.credited, "credited by billing"),
        (result.total_in_file, "the file’s total, credits and write-offs included"),
    )
    cells = "".join(
        f"<div><strong>£{value:,.2f}</strong><span>{label}</span></div>" for value, label in figures
    )
    return f'<div class="figures small">{cells}</div>'


def _faults(result: Reconciliation) -> str:
    if result.agrees:
        return ""
    items = "".join(f"<li>{escape(fault)}</li>" for fault in result.faults[:200])
    return f'<ul class="faults">{items}</ul>'


def _rows(rows: Sequence[Row]) -> str:
    shown = "".join(
        f'<tr><td>{escape(r.number)}</td><td><i class="{COLOURS.get(r.state, "none")}"></i>{escape(r.state)}</td>'
        f'<td class="n">{r.in_file:,.2f}</td><td class="n">{r.amount:,.2f}</td><td>{escape(r.reason)}</td></tr>'
        for r in rows
    )
    return (
        f"<details><summary>All {len(rows):,} invoices</summary>"
        + _wide(
            "All invoices",
            "<table><thead><tr><th>Invoice</th><th>State</th><th class=n>In the file</th>"
            f"<th class=n>In the network</th><th>Why</th></tr></thead><tbody>{shown}</tbody></table>",
        )
        + "</details>"
    )
