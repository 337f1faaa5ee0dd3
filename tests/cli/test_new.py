"""``levada new``: the project runs, is tested, and nothing is ever overwritten."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests import started

from levada.cli.new import NameRefused, project


def levada(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return started.levada(cwd, *arguments)


def make(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    env = more | {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST", "MAKE"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, timeout=280, env=env
    )


@pytest.mark.parametrize("name", ["shop", "order-desk"])
def test_a_new_project_passes_its_tests(tmp_path: Path, name: str):
    assert levada("new", name, cwd=tmp_path).returncode == 0
    tested = make(tmp_path / name, "test", **started.OF_A_PROJECT)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "6 passed" in tested.stdout
    shown = levada("describe", "--json", cwd=tmp_path / name)
    assert {s["id"] for s in json.loads(shown.stdout)["systems"]} >= {f"{name}/Orders/v1", f"{name}/Stock/v1"}


ON_POSTGRES = """
import asyncio, sys
from shop.adapters.warehouse import WarehouseStock
from shop.contracts import AlreadyReserved, Stock
from levada import testing
from levada.connect.sql import Database

async def main():
    async with testing.network(WarehouseStock, resources={"warehouse": Database(sys.argv[1])}) as net:
        stock = net[Stock]
        await stock.reserve("o-1", "teapot", 4)
        try:
            await stock.reserve("o-1", "teapot", 4)
        except AlreadyReserved:
            pass
        kept = await stock.available("teapot")
        await stock.release("o-1")
        print(kept, await stock.available("teapot"))

asyncio.run(main())
"""


def test_what_grows_into_postgresql_is_a_change_of_levada_toml_alone(tmp_path: Path, postgres):
    assert levada("new", "shop", cwd=tmp_path).returncode == 0
    url = postgres.database()
    done = subprocess.run(
        [sys.executable, "-c", ON_POSTGRES, url],
        cwd=tmp_path / "shop",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "6 10\n", done.stderr


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("1x", "it does not begin with a letter"),
        ("", "it is empty"),
        ("Shop", "it has 'S'"),
        ("my shop!", "it has ' ', '!'"),
        ("order--desk", "a hyphen stands at its end or beside another"),
        ("shop-", "a hyphen stands at its end or beside another"),
        ("order-1", None),
    ],
)
def test_a_name_that_cannot_be_is_refused_with_what_is_wrong_with_it(name: str, reason: str | None):
    if reason is None:
        assert "levada.toml" in project(name)
        return
    with pytest.raises(NameRefused) as refused:
        project(name)
    assert f"cannot name a project: {reason}. Take lower-case letters" in str(refused.value)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_machine_with_python_and_make_alone_sets_itself_up(tmp_path: Path):
    """The interpreter has neither Levada nor pytest: the project makes a .venv with exactly what is pinned."""
    assert levada("new", "shop", cwd=tmp_path).returncode == 0
    bare = venv(tmp_path / "bare")
    tested = make(tmp_path / "shop", "test", f"MAKER={bare}")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "6 passed" in tested.stdout
    has = subprocess.run(
        [".venv/bin/python", "-m", "pip", "list", "--format=freeze"],
        cwd=tmp_path / "shop", capture_output=True, text=True, timeout=60,
    ).stdout.split()  # fmt: skip
    pinned = re.findall(
        r"^([\w.-]+==[\w.]+)(?= \\| ; impl)",
        (tmp_path / "shop" / "requirements.txt").read_text(),
        re.MULTILINE,
    )
    assert {p.lower() for p in pinned} <= {h.lower().replace("_", "-") for h in has}
    assert {h.partition("==")[0].lower() for h in has} >= {"levada", "shop"}
    again = make(tmp_path / "shop", "test", f"MAKER={bare}")
    assert "6 passed" in again.stdout


def test_a_project_whose_levada_has_moved_says_so_before_it_installs_anything(tmp_path: Path):
    levada("new", "shop", cwd=tmp_path)
    refused = make(tmp_path / "shop", "setup", "LEVADA=/moved/levada")
    assert refused.returncode == 2
    assert "no longer at /moved/levada" in refused.stdout
    assert "make setup LEVADA=" in refused.stdout
    assert not (tmp_path / "shop" / ".venv").exists()


def venv(folder: Path) -> Path:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
    return folder / "bin" / "python"


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


def test_what_comes_next_can_be_typed_where_the_folder_has_spaces(tmp_path: Path):
    told = levada("new", "shop", "--folder", "my work/the shop", cwd=tmp_path)
    assert "cd 'my work/the shop' && make test" in told.stdout


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
