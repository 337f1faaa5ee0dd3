"""Mistakes of a user are answered with what to do, never with a stack trace."""

import json
import os
import subprocess
import sys

import pytest

from levada.cli._operate import table


@pytest.fixture
def landscape(tmp_path):
    folder = tmp_path / "landscape"
    folder.mkdir()
    (folder / "flows.csv").write_text("consumer,provider,mode\na,b,sync\n")
    return folder


def levada(folder, *arguments, **environment):
    done = subprocess.run(
        [sys.executable, "-m", "levada", *map(str, arguments)],
        cwd=folder, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **environment},
    )  # fmt: skip
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
    assert (done.returncode, "Nothing was changed." in done.stdout) == (0, True)
    assert levada(tmp_path, "keys", "rotate", "k-1", "--grace-hours", "-1").returncode == 2


def test_a_review_that_is_not_there_and_a_merge_that_it_has_not(tmp_path):
    assert levada(tmp_path, "review", "r.yaml").stderr.startswith("LV1826 There is no review r.yaml.")
    (tmp_path / "r.yaml").write_text("levada_review: 1\nmerges: []\n")
    done = levada(tmp_path, "review", "r.yaml", "--accept", "erp-2")
    assert (done.returncode, done.stderr[:6]) == (2, "LV1827")
    assert "erp-2" in done.stderr


def test_a_row_that_goes_into_a_pipe_stays_on_its_line(capsys):
    table(("Run", "Code"), [("r" * 32, "shop/Orders.v1/" + "x" * 80)], empty="")
    assert len(capsys.readouterr().out.splitlines()) == 2
