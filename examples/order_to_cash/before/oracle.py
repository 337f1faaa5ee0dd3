"""The hand-kept truth about this landscape, and what a map says otherwise.

``oracle.csv`` was written from the design of the landscape: who uses whom, how, where that
stands, how often in the ten days, how often it fails. It lies outside of what ``levada map`` is shown.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.order_to_cash.before.machines import Calls
from msgspec import Struct

__all__ = ["DAYS", "Edge", "against_calls", "against_map", "edges"]

DAYS = 10
_ORACLE = Path(__file__).with_name("oracle.csv")

Key = tuple[str, str, str, str | None]


class Edge(Struct, frozen=True):
    """One edge: consumer, provider, mode and protocol name it."""

    key: Key
    status: str
    evidence: str
    """A file, with the line where one stands, that has to be among the evidence."""
    job: str
    host: str
    calls: int
    errors: int
    hours_month: float | None
    incidents_90d: float | None
    period_s: float | None
    why: str


def edges() -> dict[Key, Edge]:
    """The oracle."""
    found: dict[Key, Edge] = {}
    with _ORACLE.open(newline="") as file:
        for row in csv.DictReader(file):
            key = (row["consumer"], row["provider"], row["mode"], row["protocol"] or None)
            found[key] = Edge(
                key, row["status"], row["evidence"], row["job"], row["host"], int(row["calls"]), int(row["errors"]),
                _number(row["hours_month"]), _number(row["incidents_90d"]), _number(row["period_s"]), row["why"],
            )  # fmt: skip
    return found


def against_calls(calls: Calls) -> list[str]:
    """Where the oracle's volumes and errors are not those that the run counted; empty if they agree."""
    said = {(e.job, e.host): (e.calls, e.errors) for e in edges().values() if e.job}
    return [
        f"{key}: the oracle says {said.get(key)}, the run counted {calls.get(key)}"
        for key in sorted(said.keys() | calls.keys())
        if said.get(key) != calls.get(key)
    ]


def against_map(mapped: Mapping[str, Any]) -> list[str]:
    """Where ``levada map --json`` differs from the oracle; empty if it found all edges, no others, and their figures."""
    known = edges()
    flows: dict[Key, list[Any]] = {}
    for flow in mapped["flows"]:
        key = (flow["consumer"], flow["provider"], flow["mode"], flow.get("protocol"))
        flows.setdefault(key, []).append(flow)
    wrong = [f"not found: {_name(key)}" for key in known.keys() - flows.keys()]
    wrong += [f"invented: {_name(key)}" for key in flows.keys() - known.keys()]
    for key in known.keys() & flows.keys():
        wrong += [f"{_name(key)}: {text}" for text in _differences(known[key], flows[key])]
    return sorted(wrong)


def _differences(edge: Edge, flows: list[Any]) -> list[str]:
    out: list[str] = []
    places = {f"{e['source']}:{e.get('line')}" for f in flows for e in f["evidence"]}
    if not any(place == edge.evidence or place.rpartition(":")[0] == edge.evidence for place in places):
        out.append(f"{edge.evidence} is not among its evidence {sorted(places)}")
    statuses = {f["status"] for f in flows}
    if statuses != {edge.status}:
        out.append(f"is {sorted(statuses)}, right is {edge.status}")
    for name in ("hours_month", "incidents_90d"):
        said = [f[name] for f in flows if f.get(name) is not None]
        total = sum(said) if said else None
        if total != getattr(edge, name):
            out.append(f"{name} is {total}, right is {getattr(edge, name)}")
    periods = {f["attributes"].get("period_s") for f in flows}
    if periods != {edge.period_s}:
        out.append(f"period_s is {periods}, right is {edge.period_s}")
    if edge.status == "observed":
        counted = tuple(sum(f["attributes"][n] for f in flows) for n in ("requests", "errors"))
        if counted != (edge.calls, edge.errors):
            out.append(f"calls and errors are {counted}, right is {(edge.calls, edge.errors)}")
        volume = sum(f["volume_day"] for f in flows)
        if abs(volume - edge.calls / DAYS) > 0.1 * edge.calls / DAYS:
            out.append(f"volume_day is {volume}, right is about {edge.calls / DAYS}")
    return out


def _name(key: Key) -> str:
    consumer, provider, mode, protocol = key
    return f"{consumer} > {provider} ({mode}/{protocol})"


def _number(text: str) -> float | None:
    return float(text) if text else None
