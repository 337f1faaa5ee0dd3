"""One connection that several sources speak of is one flow; a caller, a name in a list and a host have one owner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from levada.landscape._local import settle_local
from levada.landscape._settle import settle
from levada.landscape.mapping import map_folders
from levada.network.graph import Evidence, Flow, Network

LOG = '10.0.0.1 - {user} [0{day}/Mar/2026:12:00:00 +0000] "POST /soap HTTP/1.1" {status} 1 "-" "{agent}"\n'
LANDSCAPE = {
    "a/crontab": "0 12 * * * jobs/bill.sh\n0 6 1 * * jobs/close.sh\n",
    "a/jobs/env": "export PGHOST=db.acme.org\nURL=http://billing.acme.org/soap\nWHO=job-1\n",
    "a/jobs/bill.sh": '#!/bin/sh\n. "$(dirname "$0")/env"\ncurl -u $WHO:$PASS $URL\n',
    "a/jobs/close.sh": "#!/bin/sh\ncurl -A Month-End/1.0 http://billing.acme.org/soap\n",
    "billing/nginx/billing.conf": "server {\n listen 80;\n server_name billing.acme.org;\n location / { proxy_pass http://127.0.0.1:8080; }\n}\n",
    "billing/nginx/log/access.log": "".join(
        LOG.format(user=u, agent=a, day=d, status=s)
        for u, a, d, s in (
            ("job-1", "curl/8", 1, 200), ("job-1", "curl/8", 5, 504), ("-", "Month-End/1.0", 2, 200), ("-", "Desk/2", 3, 200)
        )
    ),
    "list.csv": "Consumer;Provider;Data;Protocol;Hours/month;Incidents 90 d\nbill.sh;BILLING;Invoices;SOAP;12,5;3\nfax.sh;billing;;;x;\n",
}  # fmt: skip


def test_script_log_and_list_are_one_edge(folder: Callable[[dict[str, str]], Path]) -> None:
    network = map_folders([folder(LANDSCAPE)]).network
    assert set(network.flows) == {
        "script/bill > billing [/soap] (batch/http)",
        "script/close > billing [/soap] (batch/http)",
        "desk > billing [/soap] (sync/http)",
        "fax.sh > billing (unknown)",
    }
    flow = network.flows["script/bill > billing [/soap] (batch/http)"]
    assert {(e.source, e.line, e.status) for e in flow.evidence} == {
        ("a/jobs/bill.sh", 3, "configured"),
        ("a/crontab", 1, "configured"),
        ("billing/nginx/log/access.log", 1, "observed"),
        ("list.csv", 2, "declared"),
    }
    assert flow.attributes["requests"] == 2
    assert flow.attributes["errors"] == 1
    assert (flow.hours_month, flow.incidents_90d, flow.volume_day) == (12.5, 3, 0.5)
    assert flow.attributes["data"] == "Invoices"
    assert flow.attributes["period_s"] == 86400
    assert network.flows["script/close > billing [/soap] (batch/http)"].attributes["period_s"] == 31 * 86400
    assert network.nodes["billing"].kind is None
    told = [f for f in network.findings if f.kind == "unknown-value"]
    assert [(f.source, f.line) for f in told] == [("list.csv", 3)]


def test_where_two_sources_differ_the_first_stands_and_both_are_told(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    rows = "Consumer;Provider;Protocol;Hours/month;Volume/day\nbill.sh;billing;SOAP;12;900\nbill.sh;billing;http;7;\n"
    network = map_folders([folder({**LANDSCAPE, "list.csv": rows})]).network
    flow = network.flows["script/bill > billing [/soap] (batch/http)"]
    assert (flow.hours_month, flow.volume_day) == (12, 0.5)
    told = {(f.text, f.source, f.line) for f in network.findings if f.kind == "conflict"}
    assert told == {
        (f"{flow.id}: volume_day is 0.5 and also 900.0; the first stands", "list.csv", 2),
        (f"{flow.id}: hours_month is 12.0 and also 7.0; the first stands", "list.csv", 3),
    }


def test_a_name_that_two_sign_in_with_is_left_apart(folder: Callable[[dict[str, str]], Path]) -> None:
    both = {**LANDSCAPE, "a/jobs/other.sh": "#!/bin/sh\ncurl -u job-1:x http://billing.acme.org/soap\n"}
    mapped = map_folders([folder(both)])
    assert "job-1 > billing [/soap] (sync/http)" in mapped.network.flows
    assert any(s.rule == "same-client-id" for s in mapped.suggestions)


def test_another_way_or_path_stays_a_flow_of_its_own() -> None:
    def flow(status: str, mode: str, protocol: str | None, what: str | None) -> Flow:
        evidence = (Evidence(f"{status}-{mode}-{what}", 1, status=status),)  # type: ignore[arg-type]
        return Flow(consumer="a", provider="b", object=what, mode=mode, protocol=protocol, evidence=evidence)  # type: ignore[arg-type]

    sure = [flow("configured", "batch", "http", "/x"), flow("configured", "db", "postgres", "t")]
    for weak in (
        flow("observed", "sync", "http", "/y"),
        flow("observed", "db", "mysql", "t"),
        flow("declared", "file", "sftp", "t"),
        flow("declared", "async", None, None),
    ):
        network = Network()
        for f in (*sure, weak):
            network.add_flow(f)
        assert set(settle(network).flows) == {f.id for f in (*sure, weak)}


@given(st.integers(1, 5), st.floats(0, 1000), st.booleans())
def test_figures_of_a_list_keep_their_sum(tables: int, hours: float, known: bool) -> None:
    network = Network()
    for n in range(tables):
        network.add_flow(
            Flow(
                consumer="a",
                provider="b",
                object=f"t{n}",
                mode="db",
                protocol="postgres",
                evidence=(Evidence("s", n),),
            )
        )
    network.add_flow(
        Flow(
            consumer="a", provider="b", object="Orders", mode="db" if known else "unknown", protocol="sql",
            hours_month=hours, evidence=(Evidence("list", 1, status="declared"),),
        )
    )  # fmt: skip
    flows = settle(network).flows.values()
    assert len(flows) == tables
    assert abs(sum(f.hours_month or 0 for f in flows) - hours) < 1e-6
    assert all(Evidence("list", 1, status="declared") in f.evidence for f in flows)
    assert settle(Network(flows={f.id: f for f in flows})).flows == {f.id: f for f in flows}


def test_how_fresh_it_has_to_be_is_no_sum() -> None:
    network = Network()
    for n in range(4):
        seen = (Evidence("s", n),)
        network.add_flow(
            Flow(consumer="a", provider="b", object=f"t{n}", mode="db", protocol="postgres", evidence=seen)
        )
    said = (Evidence("list", 1, status="declared"),)
    network.add_flow(
        Flow(consumer="a", provider="b", mode="db", freshness_s=20, hours_month=8, evidence=said)
    )
    assert {(f.freshness_s, f.hours_month) for f in settle(network).flows.values()} == {(20, 2)}


def test_two_addresses_in_one_file_are_two_connections() -> None:
    def to(provider: str, importer: str) -> Flow:
        evidence = (Evidence(f"{importer}.xml", 1, importer=importer),)
        return Flow(consumer="m", provider=provider, mode="sync", protocol="http", evidence=evidence)

    local = to("m/local-http:8082", "mule")
    for real, left in ((to("billing", "mule"), 2), (to("billing", "docker-compose"), 1)):
        network = Network()
        network.add_flow(local)
        network.add_flow(real)
        assert len(settle_local(network).flows) == left


def test_a_name_of_the_internet_is_no_service_of_a_namespace(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    files = {
        "compose.yaml": "services:\n  billing:\n    image: acme/billing\n",
        "a.sh": "#!/bin/sh\ncurl https://billing.com/x\ncurl http://billing.shop/y\n",
    }
    flows = {f.provider: f.object for f in map_folders([folder(files)]).network.flows.values()}
    assert flows == {"billing.com": "/x", "billing": "/y"}
