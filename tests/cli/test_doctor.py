"""``levada doctor``: what is looked at, what is said to do, and that nothing is changed."""

import json
import os
from pathlib import Path

import pytest
from tests.started import levada

from levada.store import open_store


def doctor(folder: Path, *arguments: str, **env: str) -> tuple[int, dict[str, dict[str, str]]]:
    done = levada(folder, "doctor", "--json", *arguments, env={**os.environ, **env})
    assert done.stdout, done.stderr
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    levada(tmp_path, "new", "shop").check_returncode()
    return tmp_path / "shop"


def files(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if "__pycache__" not in p.parts}


def test_the_machine_alone_where_there_is_no_deployment(tmp_path: Path):
    code, checks = doctor(tmp_path)
    assert code == 0
    assert {"Python", "Platform", "Envoy", "Extra sql"} <= set(checks)
    assert "levada.toml" not in checks


def test_a_new_project_is_well_and_nothing_is_made(project: Path):
    before = files(project)
    code, checks = doctor(project)
    assert code == 0
    assert checks["Assembly"]["found"] == "2 APIs, 0 elsewhere, 1 handler"
    assert checks["Store"]["state"] == "note"
    assert checks["Resource warehouse"]["state"] == "note"
    assert files(project) == before


async def test_a_store_and_a_system_that_are_there_are_asked(project: Path):
    await (await open_store(f"sqlite:{project}/levada.db")).close()
    (project / "warehouse.db").touch()
    code, checks = doctor(project)
    assert code == 0
    assert checks["Store"]["state"] == "ok"
    assert checks["Resource warehouse"]["state"] == "ok"


@pytest.mark.parametrize(
    ("toml", "failed", "told"),
    [
        ('[app]\nmodules = ["shop"]\n', "Assembly", "[resources.warehouse]"),
        ('[app]\nmodules = ["shopp"]\n', "Assembly", "there is no module shopp"),
        ('[app]\nmodule = ["shop"]\n', "levada.toml", "did you mean modules"),
        ("[app\n", "levada.toml", "it is not TOML"),
        ('[app]\nmodules = ["shop"]\n[resources.warehouse]\nurl = "sqlite:w.db"\n[store]\nurl = "env:NOT_SET"\n', "Store", "Set NOT_SET"),
        ('[app]\nmodules = ["shop"]\n[resources.warehouse]\nurl = "sqlite:w.db"\n[store]\nurl = "sqlite:no/such/x.db"\n', "Store", "folder you may write in"),
        ('[app]\nmodules = ["shop"]\n[resources.warehouse]\nurl = "http://127.0.0.1:9/"\n', "Resource warehouse", "reachable"),
        ('[app]\nmodules = ["shop"]\n[resources.warehouse]\nurl = "env:NOT_SET"\n', "Resource warehouse", "NOT_SET"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do(project: Path, toml: str, failed: str, told: str):
    (project / "levada.toml").write_text(toml)
    code, checks = doctor(project)
    assert code == 3
    assert checks[failed]["state"] == "failed"
    assert told in f"{checks[failed]['found']} {checks[failed]['mend']}"
    assert all(check["mend"] for check in checks.values() if check["state"] == "failed")


def test_a_file_that_is_no_store_is_said(project: Path):
    (project / "levada.db").write_text(
        "this is not a database at all, but long enough to be taken for one" * 20
    )
    code, checks = doctor(project)
    assert code == 3
    assert "not a database" in checks["Store"]["mend"]
