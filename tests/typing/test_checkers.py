"""The design's shapes are clean under three strict checkers, and mistakes are found where the page says."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from docs.checks import CHECKERS, MISTAKES, mistakes

from levada.connect import open_resource
from levada.contract import ContractError, ModelError

HERE = Path(__file__).parent
BIN = Path(sys.executable).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[int]]]:
    """Checker -> file -> lines that it tells something about. Each runs once."""
    cache = tmp_path_factory.mktemp("mypy")
    return {
        "pyright": _pyright(_run("pyright", "-p", ".", "--outputjson", "--pythonpath", sys.executable)),
        "mypy": _lines(
            _run("mypy", "--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(cache), "hire")
        ),
        "ty": _lines(_run("ty", "check", "--output-format", "concise", "--python", sys.prefix, "hire")),
    }


def _run(name: str, *arguments: str) -> str:
    done = subprocess.run([BIN / name, *arguments], cwd=HERE, capture_output=True, text=True, timeout=110)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def _pyright(output: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    answer = json.loads(output)
    assert answer["summary"]["filesAnalyzed"] >= len(list((HERE / "hire").glob("*.py")))
    for told in answer["generalDiagnostics"]:
        found.setdefault(Path(told["file"]).name, set()).add(told["range"]["start"]["line"] + 1)
    return found


def _lines(output: str) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for path, line in re.findall(r"^hire/(\w+\.py):(\d+):(?:\d+:)? error", output, re.MULTILINE):
        found.setdefault(path, set()).add(int(line))
    assert found, f"nothing was told, not even of the mistakes: {output}"
    return found


@pytest.mark.parametrize("checker", CHECKERS)
def test_the_examples_are_clean(told, checker):
    assert {file: lines for file, lines in told[checker].items() if file != MISTAKES.name} == {}


@pytest.mark.parametrize("checker", CHECKERS)
def test_each_mistake_is_found_where_the_page_says(told, checker):
    wanted = set().union(*(m.found.get(checker, set()) for m in mistakes()))
    assert told[checker][MISTAKES.name] == wanted


@pytest.mark.parametrize("mistake", mistakes(), ids=lambda m: m.function)
def test_each_mistake_is_told_by_somebody(mistake):
    assert mistake.found or mistake.said


@pytest.mark.parametrize("mistake", [m for m in mistakes() if m.said], ids=lambda m: m.function)
def test_levada_refuses_it(mistake):
    wrong = getattr(importlib.import_module("tests.typing.hire.mistakes"), mistake.function)
    with pytest.raises((ModelError, TypeError, AttributeError)) as caught:
        wrong()
    assert mistake.said in str(caught.value)
    if isinstance(caught.value, ContractError):
        assert "mistakes.py" in caught.value.message, "the place names file and line"


def test_the_examples_can_be_assembled_and_run():
    import asyncio
    from decimal import Decimal

    network = importlib.import_module("tests.typing.hire.network")
    contracts = importlib.import_module("tests.typing.hire.contracts")
    apart = network.apart(open_resource("garage", {"url": "sqlite::memory:"}))
    assert set(apart.plan.served) == {"hire/Counter/v1", "hire/Fleet/v2", "hire/Hires/v1"}
    assert asyncio.run(network.unpaid(contracts.Car("A-1", "small", Decimal("39.90")))) == ["A-1", "b-1"]
