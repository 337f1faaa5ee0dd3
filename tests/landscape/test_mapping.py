import gzip
import json
import os
import resource
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from levada.landscape._sink import Sink
from levada.landscape.importers import Context, Malformed, SourceFile
from levada.landscape.importers._redact import FORMATS, redact, secrets_in
from levada.landscape.mapping import NoSuchFolder, map_folders, recognised
from levada.network import Finding, Flow, Node
from levada.network.text import to_jsonl

FLOWS = "consumer,provider,object,mode,protocol,evidence,status\n"


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def kinds(findings: list[Finding]) -> set[str]:
    return {f.kind for f in findings}


def test_a_csv_folder_counts_and_keeps_what_it_cites(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "systems.csv": "id,name,kind,owner,domain\na,A,app,,d\nb,B,,,\n",
            "flows.csv": FLOWS
            + "a,b,o,async,kafka,x.yaml;y.yaml:7,configured\na,b,,sync,http,,declared\na,z,,odd,,,\n,b,,,,,\n",
        },
    )
    network = map_folders([root]).network
    assert (len(network.nodes), len(network.flows), len(network.pairs())) == (3, 3, 2)
    evidence = network.flows["a > b [o] (async/kafka)"].evidence
    assert [(e.source, e.line) for e in evidence] == [("flows.csv", 2), ("x.yaml", None), ("y.yaml", 7)]
    assert network.flows["a > z (unknown)"].status == "declared"
    assert network.nodes["b"].kind is None
    assert kinds(network.findings) == {"unlisted-system", "unknown-value", "incomplete-row"}


def test_several_folders_are_named_apart(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path / name, {"flows.csv": FLOWS + "a,b,,,,,\n"})
    network = map_folders([tmp_path / "one", tmp_path / "two"]).network
    assert {e.source for e in network.flows["a > b (unknown)"].evidence} == {"one/flows.csv", "two/flows.csv"}


def test_a_host_is_joined_with_the_one_that_answers_there(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "gw.conf": "server { location / { proxy_pass http://orders.acme.org; } }",
            "o.yaml": "openapi: 3.0.0\ninfo: {title: Orders}\nservers: [{url: 'https://orders.acme.org'}]\npaths: {}\n",
        },
    )
    assert list(map_folders([root]).network.flows) == ["gw > api/orders [/] (sync/http)"]


def test_one_bad_file_stops_nothing_and_is_told_with_its_line(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "compose.yaml": "services:\n  a:\n    image: [\n",
            "flows.csv": FLOWS + "a,b,,,,,\n",
            "w.json": '{"nodes": [{"type": "n8n-nodes-base.slack",}]}',
            "noise.bin": os.urandom(5000),
        },
    )
    mapped = map_folders([root])
    assert list(mapped.network.flows) == ["a > b (unknown)"]
    told = {f.source: f.line for f in mapped.network.findings if f.kind == "malformed-file"}
    assert told.keys() == {"compose.yaml", "w.json"}
    assert told["w.json"] == 1


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(NoSuchFolder, match="levada map"):
        map_folders([tmp_path / "nothing"])


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"flows.csv": FLOWS + "secret,b,,,,,\n"})
    root = write(tmp_path / "in", {"a/flows.csv": FLOWS + "a,b,,,,,\n"})
    (root / "flows.csv").symlink_to(outside / "flows.csv")
    (root / "deep").symlink_to(outside)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe")
    network = map_folders([root]).network
    assert "secret" not in network.nodes
    assert {f.source for f in network.findings if f.kind == "skipped-file"} == {
        "flows.csv",
        "pipe",
        "deep",
        "loop",
    }


def test_entity_bombs_are_refused(tmp_path: Path) -> None:
    bomb = '<!DOCTYPE m [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'
    outside = '<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    core = "http://www.mulesoft.org/schema/mule/core"
    root = write(
        tmp_path,
        {
            f"{n}.xml": f'{d}<mule xmlns="{core}"><flow name="&a;"/></mule>'
            for n, d in (("b", bomb), ("x", outside))
        },
    )
    findings = map_folders([root]).network.findings
    assert [f.kind for f in findings] == ["malformed-file", "malformed-file"]
    assert all("entities" in f.text for f in findings)


def test_alias_bombs_and_cycles_are_refused(tmp_path: Path) -> None:
    bomb = "services:\n  a: {image: x}\nx0: &x0 [a,a,a,a,a,a,a,a,a,a]\n" + "".join(
        f"x{n}: &x{n} [{','.join([f'*x{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    root = write(
        tmp_path, {"b/compose.yaml": bomb, "c/compose.yaml": "services: &s\n  a: {image: x, again: *s}\n"}
    )
    assert [f.kind for f in map_folders([root]).network.findings] == ["malformed-file"] * 2


def test_zip_bombs_are_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/a.xml", "w") as entry,
    ):
        for _ in range(300):
            entry.write(b"\0" * 1024 * 1024)
    findings = map_folders([tmp_path]).network.findings
    assert [f.kind for f in findings] == ["malformed-file"]
    assert "unpacks to" in findings[0].text


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_any_common_encoding_is_read_and_a_guess_is_told(tmp_path: Path, encoding: str) -> None:
    write(tmp_path, {"flows.csv": (FLOWS + "Händler,b,,,,,\n").encode(encoding)})
    network = map_folders([tmp_path]).network
    assert "Händler" in network.nodes
    assert kinds(network.findings) == {"unlisted-system"} | ({"encoding"} if encoding == "latin-1" else set())


def test_a_file_too_large_to_hold_is_told(tmp_path: Path) -> None:
    with (tmp_path / "flows.csv").open("wb") as file:
        file.write(FLOWS.encode() + b"\n" * 40 * 1024 * 1024)
    assert "MiB" in map_folders([tmp_path]).network.findings[0].text


SECRETS = [
    "AKIAIOSFODNN7EXAMPLF", "ghp_" + "a1B2" * 9, "github_pat_" + "a1B2" * 8, "glpat-" + "a1B2" * 5, "xoxb-123456789012-abcdef",
    "https://hooks.slack.com/services/T0/B0/" + "a1B2" * 6, "sk_live_" + "a1B2" * 6, "whsec_" + "a1B2" * 6, "AIza" + "a1B2c" * 7,
    "GOCSPX-" + "a1B2" * 6, "ya29." + "a1B2" * 6, "1//0" + "a1B2" * 8, "sk-proj-" + "a1B2" * 6, "sk-ant-" + "a1B2" * 6,
    "hf_" + "a1B2" * 9, "gsk_" + "a1B2" * 12, "SK" + "0a" * 16, "SG." + "a1B2" * 5 + "." + "a1B2" * 5, "key-" + "0a" * 16,
    "0a" * 16 + "-us12", "123456789:AA" + "a1B2" * 8 + "a", "https://discord.com/api/webhooks/1/" + "a1B2" * 6,
    "https://acme.webhook.office.com/webhookb2/" + "a1B2" * 9, "npm_" + "a1B2" * 9, "pypi-" + "a1B2" * 12, "dckr_pat_" + "a1B2" * 6,
    "dop_v1_" + "0a" * 32, "shpat_" + "0a" * 16, "ntn_" + "a1B2" * 11, "pat" + "a1" * 7 + "." + "0a" * 32, "lin_api_" + "a1B2" * 9,
    "pat-na1-0a0a0a0a-0a0a-0a0a-0a0a-0a0a0a0a0a0a", "ATATT3" + "a1B2" * 14, "dapi" + "0a" * 16, "hvs." + "a1B2" * 7,
    "a1" * 7 + ".atlasv1." + "a1B2" * 16, "NRAK-" + "A1B2" * 6, "glsa_" + "a1B2" * 9, "AccountKey=" + "a1B2" * 12 + "==",
    "SharedAccessKey=" + "a1B2" * 10 + "=", "https://x/?sig=" + "a1B2" * 10, "abc8Q~" + "a1B2" * 8, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.a1B2c3D4e5",
    "AGE-SECRET-KEY-1" + "A1" * 29, "-----BEGIN RSA PRIVATE KEY-----\nMIIEa1B2\n-----END RSA PRIVATE KEY-----",
    "postgres://bob:hunter22@db/x", "Server=db;User Id=sa;Password=hunter22;", "Authorization: Bearer a1B2c3D4e5f6",
    "curl -u bob:hunter22 https://x", "PGPASSWORD=x; export".replace("=x;", " ").replace("PGPASSWORD  export", "db.password: hunter22"),
    'client_secret = "hunter22"', "xapp-1-" + "a1B2" * 4, " PGPASSWORD=hunter22 psql", "EAAA" + "a1B2" * 6,
    "aws_secret_access_key = " + "a1B2" * 10, "secret_" + "a1B2" * 10 + "a1B", "00" + "a1B2" * 10,
]  # fmt: skip


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("around", ["", "a line that stands there often\n" * 30])
def test_secrets_are_found_and_taken_out(secret: str, around: str) -> None:
    text = f"first: 1\n{around}value: {secret}\n{around}"
    assert list(secrets_in(text))
    clean = redact(text)
    assert "[redacted]" in clean
    for part in ("hunter22", "a1B2a1B2", "MIIEa1B2", "0a0a0a0a", "a1B2c3D4e5", "A1A1A1A1"):
        assert part not in clean


def test_there_are_forty_formats_and_harmless_text_is_left() -> None:
    assert len(FORMATS) >= 40
    for text in (
        "password: ${DB_PASSWORD}", "password=", "password: null", "token: {{ vault }}", "https://example.org/a:b@c".replace(":b@c", ""),
        "sort -u file", "api_key: !vault x", "SELECT password FROM users", "0123456789abcdef", "PASSWORD=$(cat x)",
    ):  # fmt: skip
        assert redact(text) == text, text


def test_no_secret_is_stored_and_each_is_told(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "compose.yaml": "services:\n  a:\n    image: x\n    environment:\n      URL: https://bob:hunter22@crm.acme.org/x\n",
            "job.sh": "#!/bin/sh\ncurl -u bob:hunter22 https://erp.acme.org/AKIAIOSFODNN7EXAMPLF/x\n",
            "app.properties": "db.password=hunter22\n",
            "flows.csv": FLOWS + "a,b,sk_live_a1B2a1B2a1B2,,,,\n",
        },
    )
    network = map_folders([root]).network
    stored = to_jsonl(network)
    assert not any(secret in stored for secret in ("hunter22", "AKIAIOSFODNN7EXAMPLF", "sk_live_a1B2"))
    told = {(f.source, f.line) for f in network.findings if f.kind == "secret"}
    assert {("compose.yaml", 5), ("job.sh", 2), ("app.properties", 1), ("flows.csv", 2)} <= told


def test_what_was_no_secret_yet_is_masked_once_it_is_one(tmp_path: Path) -> None:
    """A text that passed once is not searched again, unless a file has shown since that it is a secret."""
    token = "NRAK-" + "A1B2" * 6
    write(tmp_path, {"job.sh": f"#!/bin/sh\necho {token}\n"})
    sink = Sink()
    for _ in range(2):
        sink.add(Node(id=token.lower()))
    sink.scan(SourceFile(tmp_path / "job.sh", "job.sh", tmp_path))
    sink.add(Node(id=token.lower()))
    assert list(sink.network.nodes) == [token.lower(), "[redacted]"]


LOG = """
import sys
from pathlib import Path
from levada.landscape.mapping import map_folders
mapped = map_folders([Path(sys.argv[1])])
flow, = [f for f in mapped.network.flows.values() if f.object == "/orders/{}"]
peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(peak, int(flow.attributes["requests"]))
"""


@pytest.mark.slow
def test_a_log_of_200_mb_is_streamed(tmp_path: Path) -> None:
    line = (
        b'10.0.0.9 - crm [10/Oct/2026:13:00:00 +0000] "GET /orders/12345 HTTP/1.1" 200 1 "-" "curl/8" '
        + b"x" * 900
        + b"\n"
    )
    count = 200 * 1024 * 1024 // len(line)
    with (tmp_path / "erp-access.log").open("wb") as file:
        for _ in range(count // 1000 + 1):
            file.write(line * 1000)
    done = subprocess.run(
        [sys.executable, "-c", LOG, str(tmp_path)], capture_output=True, text=True, timeout=110, check=True
    )
    peak_kib, requests = map(int, done.stdout.split())
    assert requests == (count // 1000 + 1) * 1000
    assert peak_kib < 150 * 1024


def test_a_log_without_line_ends_is_bounded(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "erp-access.log.gz", "wb") as file:
        file.write(b'10.0.0.9 - crm [10/Oct/2026:13:00:00 +0000] "GET /a HTTP/1.1" 200 1\n')
        for _ in range(100):
            file.write(b"y" * 1024 * 1024)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    network = map_folders([tmp_path]).network
    assert len(network.flows) == 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


class Own:
    name = "own"
    formats = ("one line",)
    verified = "from the specification"

    def recognise(self, file: SourceFile, /) -> float:
        return 1.0 if file.suffix == ".own" else 0.0

    def read(self, file: SourceFile, context: Context, /):
        yield Node(id="a", evidence=context.at(file, 1))
        yield Flow(consumer="a", provider="b", evidence=context.at(file, 1))
        raise Malformed("the rest", 2)


def test_an_importer_of_ones_own_and_what_it_said_before_it_failed(tmp_path: Path) -> None:
    root = write(tmp_path, {"x.own": "x\ny\n"})
    calls: list[tuple[int, int, str]] = []
    mapped = map_folders([root], use=[Own()], progress=lambda *a: calls.append(a))
    assert list(mapped.network.flows) == ["a > b (unknown)"]
    assert [(f.kind, f.line) for f in mapped.network.findings] == [("malformed-file", 2)]
    assert calls == [(0, 1, "x.own"), (1, 1, "")]
    assert recognised([root], [Own()]) == [("x.own", "own", 1.0)]


def test_two_importers_as_sure_is_told(tmp_path: Path) -> None:
    class Other(Own):
        name = "other"

    mapped = map_folders([write(tmp_path, {"x.own": "x\n"})], use=[Own(), Other()])
    assert "ambiguous-format" in kinds(mapped.network.findings)


def test_json_of_any_depth_costs_its_own_file_alone(tmp_path: Path) -> None:
    deep = '{"nodes":' + "[" * 5000 + "]" * 5000 + ', "parameters": 1, "n8n": 1}'
    traces = json.dumps({"data": [{"traceID": 1, "spans": None}]})
    mapped = map_folders(
        [write(tmp_path, {"w.json": deep, "e.json": traces, "flows.csv": FLOWS + "a,b,,,,,\n"})]
    )
    assert [(f.consumer, f.provider) for f in mapped.network.flows.values()] == [("a", "b")]
    assert [f.source for f in mapped.network.findings if f.kind == "malformed-file"] == ["w.json"]


@pytest.mark.parametrize(("lists", "manifests"), [("a", "b"), ("b", "a")])
def test_a_persons_list_goes_before_what_importers_guess_in_any_order(
    lists: str, manifests: str, tmp_path: Path
) -> None:
    for folder in (lists, manifests):
        (tmp_path / folder).mkdir()
    (tmp_path / lists / "systems.csv").write_text(
        "id,name,kind,owner,domain\nbilling,Billing,record,finance,money\nproxy,,app,web,\n"
    )
    (tmp_path / manifests / "billing.yaml").write_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: billing\n"
        "  labels: {team: blue, app.kubernetes.io/part-of: shop}\n"
    )
    (tmp_path / manifests / "proxy.conf").write_text("server { location / { proxy_pass http://billing; } }\n")
    mapped = map_folders([tmp_path])
    found = {n.id: (n.name, n.kind, n.owner, n.domain) for n in mapped.network.nodes.values()}
    assert found["billing"] == ("Billing", "record", "finance", "money")
    assert found["proxy"] == ("proxy", "app", "web", None)
    texts = {f.text for f in mapped.network.findings if f.kind == "conflict"}
    assert "billing: owner is finance and also blue; the first stands" in texts
