"""Access logs as machines write them: rotated by date, with virtual hosts, several addresses, users with spaces."""

from pathlib import Path

import pytest

from levada.landscape.mapping import map_folders

CALL = '[05/Mar/2011:06:00:00 +0000] "POST /soap HTTP/1.1" 200 5 "-" "curl"'


@pytest.mark.parametrize(
    ("name", "line", "flow"),
    [
        ("billing.access.log", f"10.1.1.1 - invoice-job {CALL}", "invoice-job > billing [/soap] (sync/http)"),
        ("billing.access.log-20110305", f"10.1.1.1 - invoice-job {CALL}", "invoice-job > billing [/soap] (sync/http)"),
        ("billing.access.log.2011-03-05", f"10.1.1.1 - invoice-job {CALL}", "invoice-job > billing [/soap] (sync/http)"),
        ("billing.access.log", f"10.1.1.1 - invoice job {CALL}", "invoice-job > billing [/soap] (sync/http)"),
        ("billing.access.log", f"10.1.1.1, 10.2.2.2 - invoice-job {CALL}", "invoice-job > billing [/soap] (sync/http)"),
        ("billing.access.log", f"10.1.1.1, 10.2.2.2 - - {CALL}", "host:10.1.1.1 > billing [/soap] (sync/http)"),
        (
            "other_vhosts_access.log",
            f"billing.acme.intern:443 10.1.1.1 - invoice-job {CALL}",
            "invoice-job > host:billing.acme.intern [/soap] (sync/http)",
        ),
    ],
)  # fmt: skip
def test_each_form_is_read(tmp_path: Path, name: str, line: str, flow: str) -> None:
    (tmp_path / name).write_text(f"{line}\n{line}\n")
    mapped = map_folders([tmp_path])
    assert [f for f in mapped.network.flows if f.replace("host:", "") == flow.replace("host:", "")]
    assert [f for f in mapped.network.findings if f.kind == "unread-lines"] == []


@pytest.mark.parametrize(
    "time",
    [
        '"time_local": "05/Mar/2011:06:00:00 +0000"',
        '"ts": 1299304800.5',
        '"@timestamp": "2011-03-05T06:00:00Z"',
    ],
)
def test_json_lines_say_when_in_several_ways(tmp_path: Path, time: str) -> None:
    line = f'{{{time}, "request_uri": "/soap", "status": 200, "remote_user": "invoice-job", "remote_addr": "10.1.1.1"}}'
    (tmp_path / "billing.access.log").write_text(f"{line}\n{line}\n")
    (flow,) = map_folders([tmp_path]).network.flows.values()
    assert [e.seen for e in flow.evidence] == ["2011-03-05T06:00:00Z"]


def test_what_is_no_line_of_a_log_is_counted_and_told(tmp_path: Path) -> None:
    (tmp_path / "billing.access.log").write_text(f"10.1.1.1 - a {CALL}\nwhat is this\n")
    (finding,) = [f for f in map_folders([tmp_path]).network.findings if f.kind == "unread-lines"]
    assert finding.line == 2


@pytest.mark.parametrize("before", ["", "shop.acme.org:443 "])
def test_a_secret_in_a_query_is_told_in_each_form(before: str, tmp_path: Path) -> None:
    line = f'{before}10.0.0.1 - crm [10/Oct/2026:13:55:36 +0000] "GET /x?page=1&Api_Key=hunter22 HTTP/1.1" 200 5 "-" "-"\n'
    (tmp_path / "shop.access.log").write_text(line)
    network = map_folders([tmp_path]).network
    told = [f.text for f in network.findings if f.kind == "secret"]
    assert len(told) == 1
    assert "api_key" in told[0]
    assert not any("hunter" in f for f in network.flows)
