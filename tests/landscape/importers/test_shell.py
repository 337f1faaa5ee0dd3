"""Shell text and schedules as they stand in real scripts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levada.landscape.importers._cron import longest_pause
from levada.landscape.importers._shell import Line, commands
from levada.landscape.mapping import map_folders

DAY = 86400.0


def flows(root: Path) -> set[str]:
    return set(map_folders([root]).network.flows)


def test_sql_with_bars_and_semicolons_belongs_to_its_command(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    script = (
        "#!/bin/bash\nexport PGHOST=db.acme.org  # don't ask\nexport PGDATABASE=erp\n"
        "psql -c \"\n  SELECT a || '|' || b; -- it's\n  FROM orders\n\" | tee x\n"
        "psql -At <<EOF || exit 1\nSELECT * FROM lines JOIN items USING (n);\nEOF\n"
        "x=$(psql -At -c 'SELECT 1 FROM stock')\npsql -q -f done.sql\n"
    )
    found = flows(folder({"jobs/x.sh": script}))
    assert found == {
        f"script/x > db.acme.org [{t}] (db/postgres)" for t in ("orders", "lines", "items", "stock")
    }


def test_only_files_of_statements_are_one_flow_of_the_database(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    script = "#!/bin/bash\nPGHOST=db.acme.org\npsql -d erp -f a.sql\npsql -d erp -f b.sql\n"
    assert flows(folder({"x.sh": script})) == {"script/x > db.acme.org [erp] (db/postgres)"}


def test_settings_come_from_sourced_files(folder: Callable[[dict[str, str]], Path]) -> None:
    files = {
        "etc/acme.env": "export URL='https://crm.acme.org/api'\n",
        "jobs/x.sh": '#!/bin/bash\nHERE=$(dirname "$0")\nsource "$HERE/../etc/acme.env"\ncurl -s "$URL"\n',
    }
    assert flows(folder(files)) == {"script/x > crm.acme.org [/api] (sync/http)"}


def test_a_quote_that_never_ends_costs_one_line(folder: Callable[[dict[str, str]], Path]) -> None:
    script = "#!/bin/bash\necho it's so\ncurl https://crm.acme.org/a\n"
    assert flows(folder({"x.sh": script})) == {"script/x > crm.acme.org [/a] (sync/http)"}


@given(st.text(alphabet="ab|;&$()`'\"\\# \n", max_size=40))
def test_splitting_loses_no_word(text: str) -> None:
    words = "".join(commands(Line(1, text)))
    assert len(words) <= len(text)
    if not set(text) & set("#'\""):
        assert sorted(c for c in words if c in "ab") == sorted(c for c in text if c in "ab")


@pytest.mark.parametrize(
    ("schedule", "pause"),
    [
        ("0 12,17 * * *", 19 * 3600), ("*/5 * * * *", 300), ("45 8-20/2 * * *", 12 * 3600), ("30 23 * * *", DAY),
        ("0 6 1 * *", 31 * DAY), ("0 6 * * mon-fri", 3 * DAY), ("0 0 1 1 *", 366 * DAY), ("@weekly", 7 * DAY),
        ("0 0 29 2 *", None), ("0 0,12 29 2 *", None), ("0 0 1,15 * sun", 7 * DAY), ("@reboot", None), ("0 6 28-31 * *", 31 * DAY), ("61 * * * *", None), ("nonsense", None),
    ],
)  # fmt: skip
def test_how_long_a_schedule_rests_at_most(schedule: str, pause: float | None) -> None:
    assert longest_pause(schedule) == pause


def test_of_two_schedules_the_rarer_holds(folder: Callable[[dict[str, str]], Path]) -> None:
    """Nobody knows which of them does what: the window of a plan is that of the month's end."""
    runs = ("0 3 * * * close.sh daily\n", "0 4 1 * * close.sh month\n")
    for crontab in (runs[0] + runs[1], runs[1] + runs[0]):
        files = {"crontab": crontab, "close.sh": "#!/bin/sh\ncurl http://erp.acme.org/close\n"}
        (flow,) = map_folders([folder(files)]).network.flows.values()
        assert flow.attributes["period_s"] == 31 * DAY


def test_who_writes_is_told(folder: Callable[[dict[str, str]], Path]) -> None:
    script = (
        "#!/bin/bash\nPGHOST=db.acme.org\ncurl -s -d @x.xml http://a.acme.org/soap\ncurl -s -A date http://b.acme.org/x\n"
        "curl -X DELETE http://c.acme.org/y\npsql -c 'UPDATE orders SET n = 1 FROM lines'\npsql -c '\\copy sales FROM STDIN'\n"
        "psql -c '\\copy (SELECT 1 FROM stock) TO STDOUT'\n"
    )
    network = map_folders([folder({"x.sh": script})]).network
    told = {f.object: bool(f.attributes.get("writes")) for f in network.flows.values()}
    assert told == {
        "/soap": True,
        "/x": False,
        "/y": True,
        "orders": True,
        "lines": False,
        "sales": True,
        "stock": False,
    }


SYNC = "#!/bin/sh\ncurl https://{host}.acme.org/x\n"


def by_host(root: Path) -> dict[str, str]:
    """Which host each script calls."""
    return {f.provider.partition(".")[0]: f.consumer for f in map_folders([root]).network.flows.values()}


@pytest.mark.parametrize(
    ("places", "ids"),
    [
        (("erp-srv/sync.sh", "fin-srv/sync.sh"), ("script/erp-srv/sync", "script/fin-srv/sync")),
        (("srv/erp/jobs/sync.sh", "srv/fin 2/jobs/sync.sh"), ("script/erp/sync", "script/fin-2/sync")),
        (("sync.sh", "old/sync.sh"), ("script/sync", "script/old/sync")),
        (("jobs/sync.sh", "jobs/sync.ksh"), ("script/sync.sh", "script/sync.ksh")),
        (("erp/crontab", "fin/crontab"), ("cron/erp/crontab", "cron/fin/crontab")),
    ],
)
def test_two_scripts_of_one_name_are_two(
    folder: Callable[[dict[str, str]], Path], places: tuple[str, str], ids: tuple[str, str]
) -> None:
    texts = [SYNC.format(host=h) for h in "ab"]
    if "cron" in places[0]:
        texts = [t.replace("#!/bin/sh\n", "0 1 * * * ") for t in texts]
    assert by_host(folder(dict(zip(places, texts, strict=True)))) == dict(zip("ab", ids, strict=True))


def test_copies_of_a_script_are_one_and_others_of_its_name_none(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    """Only what reaches out is a system, and only that has a name to be told apart by."""
    files = {
        "a/x.sh": SYNC.format(host="a"),
        "b/x.sh": SYNC.format(host="a"),
        "c/x.sh": "#!/bin/sh\necho hello\n",
    }
    network = map_folders([folder(files)]).network
    assert set(network.flows) == {"script/x > a.acme.org [/x] (sync/http)"}
    assert {e.source for e in network.nodes["script/x"].evidence} == {"a/x.sh", "b/x.sh"}


def test_a_crontab_means_the_script_of_its_own_machine(folder: Callable[[dict[str, str]], Path]) -> None:
    files = {
        "erp/crontab": "0 1 * * * jobs/sync.sh\n0 2 * * * jobs/idle.sh\n", "erp/jobs/sync.sh": SYNC.format(host="a"),
        "fin/etc/crontab": "0 4 1 * * /home/fin/jobs/sync.sh\n", "fin/jobs/sync.sh": SYNC.format(host="b"),
        "dwh/jobs/sync.sh": SYNC.format(host="c"), "erp/jobs/idle.sh": "#!/bin/sh\necho hello\n", "dwh/idle.sh": SYNC.format(host="d"),
    }  # fmt: skip
    flows = {f.consumer: f for f in map_folders([folder(files)]).network.flows.values()}
    assert {c: f.attributes.get("period_s") for c, f in flows.items()} == {
        "script/erp/sync": DAY,
        "script/fin/sync": 31 * DAY,
        "script/dwh/sync": None,
        "script/idle": None,
    }


def test_a_document_that_is_shown_or_written_is_no_command(folder: Callable[[dict[str, str]], Path]) -> None:
    script = (
        "#!/bin/bash\ncat << 'EOF'\nNow run: ssh root@a.acme.org\nEOF\ncat > later.sh <<EOF\ncurl https://b.acme.org/x\nEOF\n"
        "cat <<EOF | ssh root@c.acme.org\nuptime\nEOF\ncat <<EOF | psql -h d.acme.org\nSELECT 1 FROM orders\nEOF\n"
    )
    assert flows(folder({"x.sh": script})) == {
        "script/x > c.acme.org (sync/ssh)",
        "script/x > d.acme.org [orders] (db/postgres)",
    }
