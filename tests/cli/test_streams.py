"""Standard output as it may be: of another encoding, full, closed, a pipe; and what somebody else has put into a text."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.text import Text
from tests.started import levada

from levada.cli._operate import table
from levada.cli._shown import printable
from levada.cli.runs import _show

FULL = Path("/dev/full")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "levada.toml").write_text("[app]\nmodules = []\n")
    (tmp_path / "landscape").mkdir()
    flows = "consumer,provider,mode\nKasse Süd,Lager,sync\n"
    (tmp_path / "landscape" / "flows.csv").write_text(flows, encoding="utf-8")
    return tmp_path


def real(folder, *arguments, **given):
    """As a process of its own, since it is about how one begins and ends."""
    given.setdefault("stdout", subprocess.PIPE)
    command = [sys.executable, "-m", "levada", *arguments]
    return subprocess.run(command, cwd=folder, stderr=subprocess.PIPE, timeout=60, check=False, **given)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "koi8-r"])
def test_signs_that_an_encoding_does_not_have_are_written_in_those_that_it_has(folder, encoding):
    done = real(folder, "doctor", env={**os.environ, "PYTHONIOENCODING": encoding})
    assert b"Traceback" not in done.stderr, done.stderr
    assert done.stdout.decode(encoding).startswith("+  Python")


def test_json_is_utf_8_whatever_the_terminal_is(folder):
    done = real(folder, "map", "landscape", "--json", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    names = {system["name"] for system in json.loads(done.stdout.decode("utf-8"))["systems"]}
    assert "Kasse Süd" in names


@pytest.mark.skipif(not FULL.exists(), reason="There is no /dev/full here")
@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("runs", "--help"),
        ("doctor",),
        ("runs", "list", "--json"),
        ("map", "landscape", "--json"),
    ],
    ids=" ".join,
)
def test_a_full_disk_behind_the_output_is_told_in_a_line(folder, arguments):
    with FULL.open("w") as full:
        done = real(folder, *arguments, stdout=full)
    assert done.returncode == 2
    assert done.stderr.decode().startswith(
        "LV1825 What this writes to cannot be used: no space left on device."
    )
    assert len(done.stderr.splitlines()) == 1


def test_a_closed_output_ends_nothing(folder):
    done = real(folder, "runs", "list", "--json", stdout=None, preexec_fn=lambda: os.close(1))
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_pipe_has_no_spaces_at_the_ends_of_lines(folder):
    said = levada(folder, "doctor").stdout.splitlines()
    assert [line for line in said if line != line.rstrip()] == []


def test_a_row_is_one_line_whatever_stands_in_its_cells(capsys):
    table(
        ("Run", "Problem"), [("r-1", "refused\nDETAIL: " + "x" * 400), ("r-2", {"state": "active"})], empty=""
    )
    head, first, second = capsys.readouterr().out.splitlines()
    assert head == "Run  Problem"
    assert first == "r-1  refused DETAIL: " + "x" * 400
    assert second == 'r-2  {"state":"active"}'


def test_what_a_caller_wrote_does_not_steer_the_terminal(capsys):
    table(("Key",), [("\x1b[2J\x1b]0;mine\x07order",)], empty="")
    assert "\x1b" not in capsys.readouterr().out
    assert printable("a\x1bb\u202ec") == "a\\x1bb\\u202ec"
    assert printable("zwei\nZeilen, größer") == "zwei\nZeilen, größer"


STEP = {"id": "/0", "operation": "shop/Stock/v1.reserve", "arguments": {"order": "[/x]"}, "state": "undone",
        "attempts": 1, "said": "", "at": 1_700_000_000_000_000}  # fmt: skip
RUN = {
    "id": "r" * 32, "state": "stuck", "code": "shop/Orders.v1/fulfil/1", "key": "[/bold] \x1b[31m", "initiator": "[x]",
    "created": 1, "changed": 2, "trace": None, "reason": "no [b]such[/b] thing", "again": None, "behind": None,
    "root": {"path": "", "steps": [STEP, {**STEP, "id": "/1", "attempts": 8, "said": "[/no]"}], "branches": []},
    "undos": [{"path": "~/0", "steps": [{**STEP, "id": "~/0/0"}], "branches": []}],
    "waits": [{"type": "shop.Paid", "key": "[/]", "due": None}], "commands": ["levada runs skip"],
}  # fmt: skip


def test_a_run_is_shown_with_the_ids_of_its_steps_whatever_its_texts_are(capsys):
    _show(RUN)
    said = capsys.readouterr().out
    assert "\x1b" not in said
    assert r"key [/bold] \x1b[31m" in said
    assert "no [b]such[/b] thing" in said
    assert '/0 undone shop/Stock/v1.reserve {"order":"[/x]"}' in said
    assert "8 attempts, 2023" in said
    assert "undo of /0" in said
    assert Text.from_markup("[b]x").plain == "x"  # which is what the texts above were taken for


@pytest.mark.parametrize("arguments", [("help", "runs", "show"), ("help", "run")], ids=" ".join)
def test_help_of_a_verb_may_be_asked_for_in_either_way(folder, arguments):
    assert levada(folder, *arguments).stdout == levada(folder, *arguments[1:], "--help").stdout


def test_a_verb_that_there_is_not_is_told_as_all_errors(folder):
    done = levada(folder, "rnu", "--json")
    assert done.returncode == 2
    told = json.loads(done.stdout)["error"]
    assert (told["code"], "Did you mean `levada run`?" in told["message"]) == ("LV1829", True)


@pytest.mark.parametrize(
    "arguments", [("runs", "list", "--limit"), ("events", "tail", "--n"), ("audit", "list", "--n")]
)
@pytest.mark.parametrize("number", ["0", "-1"])
def test_how_many_are_shown_is_at_least_one(folder, arguments, number):
    done = levada(folder, *arguments, number)
    assert (done.returncode, done.stderr[:6]) == (2, "LV1829")
