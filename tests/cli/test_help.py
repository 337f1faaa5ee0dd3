"""``levada --help`` comes at once, and every verb that it lists is there."""

import importlib
import json
import os
import subprocess
import sys

import pytest

from docs import generate
from levada.cli.main import COMMANDS, GROUPS, app_of


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
        done = subprocess.run(
            [sys.executable, "-m", "levada", *verb.split(), *json_too],
            cwd=tmp_path, capture_output=True, text=True, timeout=30,
        )  # fmt: skip
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
