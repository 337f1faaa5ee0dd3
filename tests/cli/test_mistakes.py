"""Mistakes of a user are answered with what to do, never with a stack trace."""

import json
import os
import socket

import pytest
from tests import started

from levada.cli._operate import table


@pytest.fixture
def landscape(tmp_path):
    folder = tmp_path / "landscape"
    folder.mkdir()
    (folder / "flows.csv").write_text("consumer,provider,mode\na,b,sync\n")
    return folder


def levada(folder, *arguments, **environment):
    done = started.levada(folder, *arguments, env={**os.environ, **environment})
    assert "Traceback" not in done.stdout + done.stderr
    return done


@pytest.mark.parametrize(
    "arguments",
    [
        ("report", "landscape", "--out", "nowhere/page.html"),
        ("map", "landscape", "--out", "nowhere/network.yaml"),
        ("map", "landscape", "--questions", "nowhere/questions.csv"),
        ("blueprint", "landscape", "--contracts", "nowhere/contracts.py"),
        ("plan", "landscape", "--ics", "nowhere/plan.ics"),
    ],
    ids=lambda arguments: arguments[0],
)
def test_a_file_that_cannot_be_written_is_told_by_its_name(tmp_path, landscape, arguments):
    done = levada(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith(f"LV1825 {arguments[-1]} cannot be used: no such file or directory.")


def test_it_is_told_to_programs_too(tmp_path, landscape):
    done = levada(tmp_path, "plan", "landscape", "--json", "--ics", "nowhere/plan.ics")
    assert json.loads(done.stdout)["error"]["code"] == "LV1825"


def test_a_package_of_an_extra_that_is_missing_names_the_extra(tmp_path, landscape):
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "openpyxl.py").write_text("raise ModuleNotFoundError('not here', name='openpyxl')\n")
    done = levada(tmp_path, "map", "landscape", "--out", "network.xlsx", PYTHONPATH=str(absent))
    assert done.returncode == 1
    assert done.stderr.startswith("LV1606")
    assert "pip install 'levada[landscape]'" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--port", "99999"), ("--port", "-1"), ("--workers", "0")], ids=lambda a: " ".join(a)
)
@pytest.mark.parametrize("verb", ["run", "up"])
def test_a_number_that_cannot_be_is_refused_before_anything_starts(tmp_path, verb, arguments):
    (tmp_path / "levada.toml").write_text("[app]\nmodules = []\n")
    done = levada(tmp_path, verb, *arguments)
    assert done.returncode == 2
    assert arguments[0] in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("section", "field"), [("server", "port = 99999"), ("server", "workers = 0"), ("gateway", "port = -1")]
)
def test_so_it_is_in_the_configuration(tmp_path, section, field):
    (tmp_path / "levada.toml").write_text(f"[app]\nmodules = []\n[{section}]\n{field}\n")
    done = levada(tmp_path, "run")
    assert done.returncode == 2
    assert done.stderr.startswith("LV1202")
    assert f"$.{section}.{field.split()[0]}" in done.stderr


def test_a_key_is_rotated_only_when_it_is_meant(tmp_path):
    (tmp_path / "levada.toml").write_text("[app]\nmodules = []\n")
    done = levada(tmp_path, "keys", "rotate", "k-1", "--dry-run")
    assert (done.returncode, done.stderr[:6]) == (1, "LV1705")  # a dry run tells what the real one would
    assert levada(tmp_path, "keys", "rotate", "k-1", "--grace-hours", "-1").returncode == 2


def test_a_review_that_is_not_there_and_a_merge_that_it_has_not(tmp_path):
    assert levada(tmp_path, "review", "r.yaml").stderr.startswith("LV1826 There is no review r.yaml.")
    (tmp_path / "r.yaml").write_text("levada_review: 1\nmerges: []\n")
    done = levada(tmp_path, "review", "r.yaml", "--accept", "erp-2")
    assert (done.returncode, done.stderr[:6]) == (2, "LV1827")
    assert "erp-2" in done.stderr


@pytest.mark.parametrize("columns", ["", "80"])
def test_a_row_that_goes_into_a_pipe_stays_on_its_line(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    table(("Run", "Code"), [("r" * 32, "shop/Orders.v1/" + "x" * 80)], empty="")
    assert len(capsys.readouterr().out.splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runs", "show"), "`levada runs show` needs RUN."),
        (("events", "pause", "s"), "`levada events pause` needs --why."),
        (("events", "explain", "a", "b"), "b is one too many."),
        (
            ("plan", "landscape", "--start", "2026-13-01"),
            "--start takes a day as 2026-11-30, not '2026-13-01'.",
        ),
        (("plan", "landscape", "--days", "many"), "--days takes a whole number, not 'many'."),
        (("map", "landscape", "--out"), "--out needs a value behind it."),
        (("map", "landscape", "--jsn"), "Did you mean --json?"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else None,
)
def test_a_command_line_that_cannot_be_says_what_to_write(tmp_path, arguments, said):
    done = levada(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("LV1829 ")
    assert said in done.stderr
    assert "--help`" in done.stderr


def test_so_it_is_told_to_programs(tmp_path):
    done = levada(tmp_path, "runs", "show", "--json")
    assert json.loads(done.stdout)["error"]["code"] == "LV1829"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("blueprint", "landscape", "--costs", "nowhere.toml"), "LV1911"),
        (("plan", "check", "nowhere.json", "landscape"), "LV1913"),
        (("map", "landscape", "--answers", "nowhere.csv"), "LV1914"),
    ],
    ids=["costs", "plan", "answers"],
)
def test_a_file_that_is_not_there_is_told_without_numbers_of_the_system(tmp_path, landscape, arguments, code):
    done = levada(tmp_path, *arguments)
    assert done.stderr.startswith(code)
    assert ": no such file or directory." in done.stderr
    assert "Errno" not in done.stderr


def test_a_plan_that_is_no_json_says_so(tmp_path, landscape):
    (tmp_path / "plan.json").write_text("Start,End\n")
    done = levada(tmp_path, "plan", "check", "plan.json", "landscape")
    assert "it is no JSON, or is cut off: expecting value in line 1, column 1" in done.stderr


def test_questions_go_into_a_sheet(tmp_path, landscape):
    done = levada(tmp_path, "map", "landscape", "--questions", "questions.pdf")
    assert done.returncode == 2
    assert ".csv or .xlsx" in done.stderr
    assert not (tmp_path / "questions.pdf").exists()


def test_a_review_that_cannot_be_written_is_told_by_its_own_name(tmp_path, landscape):
    done = levada(tmp_path, "map", "landscape", "--review", "nowhere/review.yaml")
    assert done.stderr.startswith("LV1825 nowhere/review.yaml cannot be used")


def test_a_merge_that_is_nearly_there_is_asked_for(tmp_path):
    (tmp_path / "r.yaml").write_text(
        "levada_review: 1\nmerges:\n  - decision: open\n    keep: crm\n    drop: customer-service\n"
    )
    done = levada(tmp_path, "review", "r.yaml", "--accept", "custmer-service")
    assert done.returncode == 2
    assert "Is customer-service meant?" in done.stderr


def test_a_topic_and_an_event_that_are_not_there_are_no_success(tmp_path):
    assert levada(tmp_path, "new", "shop").returncode == 0
    folder = tmp_path / "shop"
    done = levada(folder, "events", "tail", "shop.OrderPlaced")
    assert done.returncode == 2
    assert "There is no topic shop.OrderPlaced." in done.stderr
    assert levada(folder, "events", "explain", "e-1").returncode == 1


@pytest.mark.parametrize("verb", ["map", "blueprint", "plan"])
def test_a_folder_of_which_nothing_is_known_is_no_success(tmp_path, verb):
    (tmp_path / "minutes.docx").write_bytes(b"\x00")
    done = levada(tmp_path, verb, "minutes.docx")
    assert done.returncode == 1
    assert "Nothing was read. What can be: levada map --formats" in done.stdout


USAGE = [
    ("map",),
    ("map", "landscape", "--out", "network.pdf"),
    ("map", "landscape", "--questions", "questions.pdf"),
    ("blueprint",),
    ("blueprint", "landscape", "--seconds", "0"),
    ("plan",),
    ("plan", "landscape", "--days", "-3"),
    ("report", "--out", "r.html"),
    ("report", "landscape", "--out", "r.pdf"),
]


@pytest.mark.parametrize("arguments", USAGE, ids=" ".join)
def test_a_landscape_verb_that_is_called_wrongly_says_so_where_errors_are_told(
    tmp_path, landscape, arguments
):
    done = levada(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("LV1829 ")
    program = levada(tmp_path, *arguments, "--json")
    assert program.returncode == 2
    assert json.loads(program.stdout)["error"]["code"] == "LV1829"


@pytest.mark.parametrize(
    ("arguments", "members"),
    [
        (("map", "--formats"), {"importer", "formats", "verified"}),
        (("blueprint", "--parameters"), {"parameter", "value", "unit", "source"}),
    ],
)
def test_what_can_be_listed_can_be_listed_for_programs(tmp_path, arguments, members):
    rows = json.loads(levada(tmp_path, *arguments, "--json").stdout)
    assert len(rows) > 5
    assert all(row.keys() == members for row in rows)


@pytest.mark.parametrize("verb", ["run", "up"])
def test_a_port_that_is_taken_is_told_before_anything_begins(tmp_path, verb):
    (tmp_path / "levada.toml").write_text("[app]\nmodules = []\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = levada(tmp_path, verb, "--port", port)
    told = f"LV1206 Cannot listen on 127.0.0.1:{port}: Address already in use. Stop what listens there"
    if verb == "up":  # the other has an app to look at first
        assert done.stderr.startswith(told)
        assert not (tmp_path / "levada.db").exists()
    assert done.returncode == 2


def test_an_address_that_is_none_of_this_machine_says_so(tmp_path):
    (tmp_path / "levada.toml").write_text('[gateway]\nhost = "203.0.113.1"\n')
    done = levada(tmp_path, "up")
    assert (done.returncode, done.stderr[:6]) == (2, "LV1206")
    assert "State an address of this machine" in done.stderr
