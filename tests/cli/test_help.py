"""``levada --help`` and the help of each verb come at once, and every verb that is listed is there."""

import importlib
import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from tests.cli.verbs import texts
from tests.started import levada

from docs import generate
from levada.cli.main import COMMANDS, GROUPS, app_of, main

HELPS = texts()
MET_FIRST = (
    "map", "review", "blueprint", "plan", "plan check", "report", "new", "run", "up", "client", "adopt", "describe",
    "events replay", "runs show", "runs resume", "keys create", "db migrate", "gateway render",
)  # fmt: skip


def test_help_comes_at_once():
    """Measured in processor time, which others on the machine do not lengthen."""
    best = 10.0
    for _ in range(5):
        began = used()
        done = subprocess.run(
            [sys.executable, "-m", "levada", "--help"], capture_output=True, text=True, timeout=30
        )
        best = min(best, used() - began)
        assert done.returncode == 0
    assert best < 0.3
    assert all(f"  {verb}" in done.stdout for verb in COMMANDS)


def test_the_help_of_a_verb_waits_for_no_import():
    """Making it takes longer than what most people wait for, so it is made beforehand."""
    ask = "import sys; from levada.cli import main; sys.argv[1:] = ['map', '--help']; import atexit;"
    ask += "atexit.register(lambda: print(*sys.modules, file=sys.stderr)); main()"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("Usage: levada map ")
    assert {"cyclopts", "rich", "levada.cli.map"} & set(done.stderr.split()) == set()


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("plan -h", "plan"),
        ("plan check --help", "plan check"),
        ("plan --help check", "plan check"),
        ("plan folder --help", "plan"),
        ("keys create --consumer --help", "keys create"),
        ("plan --start check x --help", "plan"),
        ("map " + "x" * 300 + " --help", "map"),
        ("map ../../plan --help", "map"),
        ("events", "events"),
        ("events no-such-command --help", "events"),
    ],
)
def test_help_is_that_of_what_was_named(capsys, given: str, asked: str):
    with pytest.raises(SystemExit, match="0"):
        main(given.split())
    assert capsys.readouterr().out == HELPS[asked]


@pytest.mark.parametrize("given", ["map -- --help", "events no-such-command"])
def test_what_does_not_ask_for_help_gets_none(capsys, given: str):
    with pytest.raises(SystemExit, match=r"[12]"):
        main(given.split())
    assert "Usage" not in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(HELPS))
def test_what_has_a_place_has_no_option_of_its_name_beside_it(name: str):
    assert re.findall(r"^ +\*? *[A-Z]+ --.*", HELPS[name], re.MULTILINE) == []


@pytest.mark.parametrize("name", MET_FIRST)
def test_the_examples_of_a_verb_are_command_lines_that_it_takes(name: str):
    examples = HELPS[name].partition("\nExamples\n")[2].splitlines()
    assert examples
    for example in examples:
        command, verb, *rest = shlex.split(example.partition(" > ")[0])
        assert (command, f"{verb} {rest[0] if rest else ''}".startswith(name)) == ("levada", True)
        app_of(verb).parse_args(rest, exit_on_error=False, print_error=False)


def used() -> float:
    """Seconds of the processor that ended children have had."""
    times = os.times()
    return times.children_user + times.children_system


def test_every_verb_stands_in_one_group():
    assert sorted(verb for _, verbs in GROUPS for verb in verbs) == sorted(COMMANDS)


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_every_verb_is_there_and_has_help(verb: str):
    where, _ = COMMANDS[verb]
    module, _, name = where.partition(":")
    assert hasattr(importlib.import_module(module), name)
    done = subprocess.run(
        [sys.executable, "-m", "levada", verb, "--help"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0, done.stderr
    assert f"levada {verb}" in done.stdout


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_every_verb_and_each_of_its_commands_takes_json(verb: str):
    helps = dict(generate._helps(verb, app_of(verb)))
    if len(helps) > 1:
        del helps[verb]  # a group, which does nothing by itself
    assert [name for name, text in helps.items() if "--json" not in text] == []


@pytest.mark.parametrize(
    "verb",
    [
        "describe",
        "run",
        "up",
        "db status",
        "runs list",
        "events parked",
        "keys list",
        "gateway render",
        "audit verify",
    ],
)
def test_where_there_is_no_configuration_every_verb_says_the_same(tmp_path, verb: str):
    for json_too in ([], ["--json"]):
        done = levada(tmp_path, *verb.split(), *json_too)
        assert done.returncode == 2
        assert "levada new" in (done.stdout if json_too else done.stderr)
        if json_too:
            assert json.loads(done.stdout)["error"]["code"] == "LV1202"
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_help_of_a_verb_has_no_noise():
    done = subprocess.run(
        [sys.executable, "-m", "levada", "review", "--help"], capture_output=True, text=True, timeout=30
    )
    assert "--accept" in done.stdout
    for noise in ("--empty-accept", "default: False", "default: None", "default: ()", "Commands"):
        assert noise not in done.stdout


def test_a_misspelt_verb_is_answered_with_the_nearest():
    done = subprocess.run(
        [sys.executable, "-m", "levada", "desribe"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 2
    assert "Did you mean `levada describe`?" in done.stderr
