"""A real cluster on the map: who reads is seen, who may is configured, what is not known is told."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from levada.cli.blueprint import blueprint
from levada.cli.map import map_
from levada.cli.plan import make as plan
from levada.cli.report import report
from levada.landscape.live import KafkaCluster, clusters, kafka_settings
from levada.landscape.mapping import Mapped, map_folders
from levada.testing.servers.kafka import KafkaServer, kafka_server

FLOWS = {
    "billing > shop [orders] (async/kafka)",
    "billing-svc > shop [orders] (async/kafka)",
    "ledger > erp [invoices] (async/kafka)",
    "erp > kafka [invoices] (async/kafka)",
    "shop > kafka [returns.*] (async/kafka)",
}


def mapped(server: KafkaServer, *folders: Path, properties: str | None = None) -> Mapped:
    where = server.signed if properties else server.bootstrap
    return map_folders(folders, live=[KafkaCluster(kafka_settings(f"kafka://{where}", properties))])


def findings(result: Mapped) -> dict[str, list[str]]:
    out: dict[str, list[str]] = {}
    for finding in result.network.findings:
        out.setdefault(finding.kind, []).append(finding.text)
    return out


@pytest.fixture
def signed(tmp_path: Path):
    def write(user: str, password: str) -> str:
        path = tmp_path / f"{user}.properties"
        path.write_text(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nrequest.timeout.ms=3000\n"
            "sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\\n"
            f'  username="{user}" password="{password}";\n'
        )
        return f"file:{path}"

    return write


def test_finds_these_flows_and_no_others(landscape: KafkaServer) -> None:
    network = mapped(landscape).network
    assert set(network.flows) == FLOWS
    assert not [n for n in network.nodes if n.startswith("_") or n == "registry"]


def test_each_with_its_evidence(landscape: KafkaServer) -> None:
    network = mapped(landscape).network
    cluster = network.nodes["kafka"].attributes["cluster"]
    flow = network.flows["billing > shop [orders] (async/kafka)"]
    place = f"kafka://{landscape.bootstrap}/{cluster}"
    assert {(e.source, e.status) for e in flow.evidence} == {
        (f"{place}/group/billing", "observed"),
        (f"{place}/acl/topic/orders*", "configured"),
    }
    for one in flow.evidence:
        assert one.seen
        assert datetime.now(UTC) - datetime.fromisoformat(one.seen) < timedelta(minutes=1)
    assert network.flows["billing-svc > shop [orders] (async/kafka)"].status == "configured"


def test_members_and_lag(landscape: KafkaServer) -> None:
    nodes = mapped(landscape).network.nodes
    assert nodes["billing"].attributes == {"lag": 3, "clients": ["billing-1"], "hosts": ["127.0.0.1"]}
    assert nodes["ledger"].attributes == {"lag": 0}


def test_what_kafka_cannot_tell_is_told(landscape: KafkaServer) -> None:
    told = findings(mapped(landscape))
    assert len(told["unknown-producer"]) == 1
    assert "4 of 6 topics is not known (notices, orders.eu, payments, prices)" in told["unknown-producer"][0]
    assert told["broad-permission"] == [
        "everybody may write notices; no flow is made of it",
        "mirror may read every topic; no flow is made of it",
    ]
    assert len(told["idle-group"]) == 1
    assert "ledger" in told["idle-group"][0]
    idle = mapped(landscape).network.flows["ledger > erp [invoices] (async/kafka)"]
    assert [e.seen for e in idle.evidence if e.source.endswith("/group/ledger")] == [None]
    assert "4 of 6 topics: notices, orders.eu, payments, prices" in told["unread-topic"][0]


def test_a_group_and_the_principal_that_may_read_as_it_are_suggested_as_one(landscape: KafkaServer) -> None:
    suggested = [s for s in mapped(landscape).suggestions if s.rule == "same-group"]
    assert [{s.keep, s.drop} for s in suggested] == [{"billing", "billing-svc"}]


def test_joins_what_files_say(landscape: KafkaServer, tmp_path: Path) -> None:
    (tmp_path / "pay.yaml").write_text(
        "asyncapi: 3.0.0\ninfo: {title: Pay}\nchannels: {o: {address: orders}, p: {address: payments}}\n"
        "operations:\n  s: {action: send, channel: {$ref: '#/channels/p'}}\n  r: {action: receive, channel: {$ref: '#/channels/o'}}\n"
    )
    result = mapped(landscape, tmp_path)
    assert set(result.network.flows) == FLOWS | {
        "pay > shop [orders] (async/kafka)",
        "pay > kafka [payments] (async/kafka)",
    }
    assert "(notices, orders.eu, prices)" in findings(result)["unknown-producer"][0]


def test_says_the_same_as_the_output_of_kafkas_own_tools(landscape: KafkaServer, tmp_path: Path) -> None:
    tools = {
        "groups.txt": ("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", "--describe", "--all-groups"),
        "acls.txt": ("org.apache.kafka.tools.AclCommand", "--list"),
    }  # fmt: skip
    for name, (tool, *words) in tools.items():
        run = [
            "java",
            "-Xshare:auto",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            f"{Path(sys.prefix) / 'kafka'}/*",
            tool,
        ]
        with (tmp_path / name).open("wb") as out:
            subprocess.run(
                [*run, "--bootstrap-server", landscape.bootstrap, *words], check=True, stdout=out, stderr=subprocess.DEVNULL, timeout=60,
            )  # fmt: skip
    files = map_folders([tmp_path]).network
    both = mapped(landscape, tmp_path).network
    assert {"billing > kafka [orders] (async/kafka)", "ledger > erp [invoices] (async/kafka)"} <= set(
        files.flows
    )
    assert set(both.flows) >= FLOWS
    sources = {
        e.source.partition(":")[0] for e in both.flows["ledger > erp [invoices] (async/kafka)"].evidence
    }
    assert sources == {"groups.txt", "acls.txt", "kafka"}
    assert files.nodes["billing"].attributes["lag"] == both.nodes["billing"].attributes["lag"] == 3


def test_nothing_is_changed(landscape: KafkaServer) -> None:
    def state() -> tuple[set[str], set[str]]:
        admin = AdminClient({"bootstrap.servers": landscape.bootstrap})
        return (
            set(admin.list_topics(timeout=10).topics),
            {g.group_id for g in admin.list_consumer_groups().result(10).valid},
        )

    before = state()
    mapped(landscape)
    assert state() == before
    assert before[1] == {"billing", "ledger"}


def test_signs_in_with_the_properties_of_kafkas_own_tools(
    landscape: KafkaServer, signed, passwords: dict[str, str]
) -> None:
    result = mapped(landscape, properties=signed("mapper", passwords["mapper"]))
    assert set(result.network.flows) == FLOWS
    assert findings(result)["unused-settings"] == ["not needed for reading, and left out: request.timeout.ms"]
    assert "not-authorised" not in findings(result)


def test_who_may_not_see_all_is_told_so_and_gets_the_rest(
    landscape: KafkaServer, signed, passwords: dict[str, str]
) -> None:
    result = mapped(landscape, properties=signed("guest", passwords["guest"]))
    told = findings(result)
    assert result.network.nodes["kafka"].attributes["topics"] == 2
    assert len(told["not-authorised"]) == 1
    assert "--operation Describe" in told["not-authorised"][0]
    assert "access control lists are not shown to this client" in told["unknown-producer"][0]


def test_a_wrong_password_is_told_and_not_shown(
    landscape: KafkaServer, signed, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "flows.csv").write_text("consumer,provider,mode\na,b,sync\n")
    code = map_(
        folder, f"kafka://{landscape.signed}", kafka_settings=signed("mapper", "wr0ng-w0rd"), json=True
    )
    out = capsys.readouterr()
    shown = json.loads(out.out)
    assert code == 1
    assert [f["consumer"] for f in shown["flows"]] == ["a"]
    (finding,) = [f for f in shown["findings"] if f["kind"] == "unreachable"]
    assert finding["severity"] == "error"
    assert re.search("authentication", finding["text"], re.IGNORECASE)
    assert "wr0ng-w0rd" not in out.out + out.err


def test_nobody_at_the_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "flows.csv").write_text("consumer,provider,mode\na,b,sync\n")
    settings = kafka_settings("kafka://127.0.0.1:1")
    result = map_folders([tmp_path], live=[KafkaCluster(settings, timeout=1)])
    assert set(result.network.flows) == {"a > b (sync)"}
    assert "Connection refused" in findings(result)["unreachable"][0]
    assert [f.source for f in result.files if f.skipped] == ["kafka://127.0.0.1:1"]


def test_several_clusters_are_told_apart(landscape: KafkaServer, tmp_path: Path) -> None:
    """What a file says of a topic is of the cluster that has it; where both have it, it is told."""
    (tmp_path / "acls.txt").write_text(
        "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=orders, patternType=LITERAL)`:\n"
        "\t(principal=User:filed, host=*, operation=READ, permissionType=ALLOW)\n"
    )
    port = landscape.bootstrap.rpartition(":")[2]
    names = (landscape.bootstrap, f"localhost:{port}")
    both = map_folders([tmp_path], live=clusters([kafka_settings(f"kafka://{n}") for n in names]))
    brokers = {n.id for n in both.network.nodes.values() if n.kind == "broker"}
    assert brokers == {"kafka", *(f"kafka/{n}" for n in names)}
    assert (
        both.network.nodes[f"kafka/{names[0]}"].attributes
        == both.network.nodes[f"kafka/{names[1]}"].attributes
    )
    assert [t[:25] for t in findings(both)["ambiguous-topic"]] == ["orders is a topic of kafk"]
    away = kafka_settings("kafka://127.0.0.1:1")
    one = map_folders([tmp_path], live=[*clusters([kafka_settings(f"kafka://{names[0]}"), away])])
    assert "filed > shop [orders] (async/kafka)" in one.network.flows
    assert "kafka" not in one.network.nodes


def test_every_verb_takes_a_cluster(
    landscape: KafkaServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = f"kafka://{landscape.bootstrap}"
    assert blueprint(where, json=True) == 0
    assert {e["flow"] for e in json.loads(capsys.readouterr().out)["ledger"]} == FLOWS
    assert plan(where, json=True) == 0
    assert report(where, out=tmp_path / "r.html", json=True) == 0
    assert f"Landscape of {where}" in (tmp_path / "r.html").read_text()
    capsys.readouterr()
    (tmp_path / "flows.csv").write_text("consumer,provider,mode\na,b,sync\n")
    assert blueprint(tmp_path, "kafka://127.0.0.1:1", json=True) == 1
    shown = capsys.readouterr()
    assert [e["flow"] for e in json.loads(shown.out)["ledger"]] == ["a > b (sync)"]
    assert "Not read: kafka://127.0.0.1:1" in shown.err


def test_dry_run_asks_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert map_("kafka://127.0.0.1:1", dry_run=True, json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == [{"source": "kafka://127.0.0.1:1", "importer": "kafka", "confidence": 1.0}]


def test_tells_what_it_asks(landscape: KafkaServer) -> None:
    steps: list[str] = []
    cluster = KafkaCluster(kafka_settings(f"kafka://{landscape.bootstrap}"))
    map_folders([], live=[cluster], progress=lambda _, __, source: steps.append(source.rpartition(": ")[2]))
    assert steps[:-1] == ["topics", "group 1 of 2", "group 2 of 2", "offsets", "access control lists"]


@pytest.mark.slow
def test_a_cluster_without_access_control_lists_and_after_a_crash(landscape: KafkaServer) -> None:
    with kafka_server() as plain:
        admin = AdminClient({"bootstrap.servers": plain.bootstrap, "log_level": 0})
        admin.create_topics([NewTopic("orders", 1, 1)])["orders"].result(20)
        if plain.owned:
            plain.kill()
            plain.start()
        told = findings(mapped(plain))
    assert "there are no access control lists" in told["unknown-producer"][0]
    assert "not-authorised" not in told
