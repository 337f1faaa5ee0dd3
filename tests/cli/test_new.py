"""``levada new``: the project runs, is tested, and nothing is ever overwritten."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def levada(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "levada", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("name", ["shop", "order-desk"])
def test_a_new_project_passes_its_tests(tmp_path: Path, name: str):
    assert levada("new", name, cwd=tmp_path).returncode == 0
    env = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST"))}
    tested = subprocess.run(
        ["make", "test"], cwd=tmp_path / name, capture_output=True, text=True, timeout=100, env=env
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "5 passed" in tested.stdout
    shown = levada("describe", "--json", cwd=tmp_path / name)
    assert {s["id"] for s in json.loads(shown.stdout)["systems"]} >= {f"{name}/Orders/v1", f"{name}/Stock/v1"}


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path):
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "Makefile").write_text("mine")
    refused = levada("new", "shop", cwd=tmp_path)
    assert refused.returncode == 2
    assert "LV1821" in refused.stderr
    assert [p.name for p in (tmp_path / "shop").iterdir()] == ["Makefile"]
    assert (tmp_path / "shop" / "Makefile").read_text() == "mine"


def test_a_dry_run_writes_nothing_and_lists_what_it_would(tmp_path: Path):
    told = levada("new", "shop", "--dry-run", "--json", cwd=tmp_path)
    made = json.loads(told.stdout)
    assert made["written"] is False
    assert {"levada.toml", "Makefile", "README.md", "shop/contracts.py", "tests/test_orders.py"} <= set(
        made["files"]
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["Shop", "9lives", "a b", "../shop", "json", "levada", "tests", "class", "-x1", ""]
)
def test_names_that_would_break_something_are_refused(tmp_path: Path, name: str):
    assert levada("new", "--", name, cwd=tmp_path).returncode == 2
    assert list(tmp_path.iterdir()) == []


def test_the_new_code_is_clean_under_our_own_linter(tmp_path: Path):
    levada("new", "order-desk", cwd=tmp_path)
    checked = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,B,UP,SIM,RUF", "--line-length", "120", "."],
        cwd=tmp_path / "order-desk", capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout
