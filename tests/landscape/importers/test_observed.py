"""What logs and traces count: the right time, the right caller, and no line that costs the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from levada.landscape.importers import _observed
from levada.landscape.mapping import map_folders

Write = Callable[[dict[str, str]], Path]
COMMON = '10.0.0.1 - crm [0{day}/Mar/2026:12:00:00 +0000] "GET /orders HTTP/1.1" 200 1 "-" "x"\n'


def row(path: str, **more: Any) -> str:
    held = {
        "time": "2026-03-01T00:00:00Z",
        "path": path,
        "status": 200,
        "remote_user": "crm",
        "host": "erp.acme.org",
    }
    return json.dumps({**held, **more}) + "\n"


@pytest.mark.parametrize(
    "bad",
    [
        row("/b", time=1).replace('"time": 1', '"time": 1e999'),
        row("/b", time=99999999999999999999),
        row("/b", time=10**400),
        row("/b", time=0),
        row("/b", time="9999-12-31T23:59:59-12:00"),
        row("/b", time=["x"]),
        row("/b", status="\u00b2"),
        '{"a":' + "[" * 30_000 + "\n",
    ],
)
def test_a_line_that_cannot_be_costs_no_other(folder: Write, bad: str) -> None:
    network = map_folders([folder({"gw.log": row("/a") + bad + row("/c")})]).network
    for path in ("/a", "/c"):
        flow = network.flows[f"crm > erp.acme.org [{path}] (sync/http)"]
        assert (flow.volume_day, [e.seen for e in flow.evidence]) == (1.0, ["2026-03-01T00:00:00Z"])


def test_a_day_s_volume_is_over_the_time_of_its_own_log(folder: Write) -> None:
    """Not over that of another system's, which goes back further."""
    logs = {
        "erp.log": COMMON.format(day=1) * 100,
        "billing.log": COMMON.format(day=1) + COMMON.format(day=9),
        "crm.log": COMMON.format(day=9),
        "crm.log.1": COMMON.format(day=1) * 15,
    }
    flows = map_folders([folder(logs)]).network.flows
    assert flows["crm > erp [/orders] (sync/http)"].volume_day == 100
    assert flows["crm > billing [/orders] (sync/http)"].volume_day == 0.25


def test_rotated_logs_are_one_and_gaps_are_not_counted(folder: Write) -> None:
    logs = {
        "erp.log": COMMON.format(day=5) + COMMON.format(day=9),
        "erp.log.1": COMMON.format(day=1) * 6,
        "a/gw.log": row("/x", time="2026-03-01T00:00:00Z") + row("/x", time="2026-03-03T00:00:00Z"),
        "b/other.log": row("/x", time="2026-06-01T00:00:00Z") + row("/x", time="2026-06-03T00:00:00Z"),
    }
    flows = map_folders([folder(logs)]).network.flows
    assert flows["crm > erp [/orders] (sync/http)"].volume_day == 1  # eight in eight days
    assert flows["crm > erp.acme.org [/x] (sync/http)"].volume_day == 1  # four in two and two days


def test_counts_without_a_time_have_no_volume(folder: Write) -> None:
    files = {
        "erp.log": COMMON.format(day=1) + COMMON.format(day=3),
        "m.prom": 'traces_service_graph_request_total{client="a",server="b"} 1000\n',
    }
    flow = map_folders([folder(files)]).network.flows["a > b (sync)"]
    assert (flow.volume_day, flow.attributes["requests"]) == (None, 1000)


def test_the_port_of_a_caller_is_not_its_name(folder: Write) -> None:
    def calls(*addresses: str) -> str:
        return "".join(row("/a", remote_user="-", downstream_remote_address=a) for a in addresses)

    lines = calls(
        "10.0.0.9:5123", "10.0.0.9:5124", "[fe80::1]:5124", "[fe80::1]:9", "fe80::2", "10.0.0.9, 10.0.0.1"
    )
    flows = map_folders([folder({"gw.log": lines})]).network.flows.values()
    assert {f.consumer: f.attributes["requests"] for f in flows} == {
        "10.0.0.9": 3,
        "fe80::1": 2,
        "fe80::2": 1,
    }


def test_a_time_without_a_zone_is_in_utc(folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        network = map_folders([folder({"gw.log": row("/a", time="2026-03-01 10:00:00")})]).network
    finally:
        monkeypatch.undo()
        time.tzset()
    assert [e.seen for f in network.flows.values() for e in f.evidence] == ["2026-03-01T10:00:00Z"]


def test_callers_without_number_are_counted_together(folder: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_observed, "MAX_KEYS", 3)
    monkeypatch.setattr(_observed, "MAX_CALLERS", 2)
    lines = "".join(row("/a", remote_user=f"u{n}") for n in range(20))
    network = map_folders([folder({"gw.log": lines})]).network
    assert sum(f.attributes["requests"] for f in network.flows.values()) == 20
    assert len(network.flows) == 6
    assert network.flows["unknown > erp.acme.org (sync/http)"].attributes["requests"] == 15
    assert [f.text[:8] for f in network.findings if f.kind == "too-many-callers"] == ["15 calls"]


def test_a_call_that_leads_nowhere_is_told(folder: Write) -> None:
    def span(number: int, **tags: str) -> dict[str, Any]:
        return {
            "traceId": "t", "spanId": str(number), "kind": 3, "name": "x", "startTimeUnixNano": "1772323200000000000",
            "attributes": [{"key": k.replace("_", "."), "value": {"stringValue": v}} for k, v in tags.items()],
        }  # fmt: skip

    trace = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
                "scopeSpans": [{"spans": [span(1, peer_service="erp"), span(2), span(3)]}],
            }
        ]
    }
    network = map_folders([folder({"t.json": json.dumps(trace)})]).network
    assert list(network.flows) == ["shop > erp (sync)"]
    assert [f.text for f in network.findings if f.kind == "unresolved-call"] == [
        "shop: 2 calls out of what is traced, and nothing says where to"
    ]
