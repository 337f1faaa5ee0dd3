"""A project that was adopted into: written by the command, tested and loaded as its owner would."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.started import OF_A_PROJECT, levada

ROOT = Path(__file__).parents[3]


class Project:
    """A folder that ``levada adopt`` writes into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("COV", "PYTEST"))}

    def levada(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return levada(self.folder, *arguments, env=self.env, timeout=100)

    def adopt(self, *arguments: str) -> dict[str, Any]:
        done = self.levada("adopt", *arguments, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def tested(self) -> str:
        """What pytest says of the generated tests; they have to be green."""
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "tests", "-p", "no:cacheprovider"],
            cwd=self.folder, env={**self.env, **OF_A_PROJECT}, capture_output=True, text=True, timeout=100,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def checked(self) -> None:
        """The generated code is formatted, clean and well-typed under the strict checker."""
        for tool in (
            ["ruff", "format", "--isolated", "--line-length", "100", "--diff"],
            [
                "ruff",
                "check",
                "--isolated",
                "--line-length",
                "100",
                "--select",
                "E4,E7,E9,F,B,UP,SIM,I,RUF100,PIE,RET",
            ],
        ):
            done = subprocess.run(
                [sys.executable, "-m", *tool, "."], cwd=self.folder, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stdout + done.stderr
        settings = {
            "typeCheckingMode": "strict",
            "venvPath": str(ROOT),
            "venv": ".venv",
            "pythonVersion": "3.11",
        }
        (self.folder / "pyrightconfig.json").write_text(json.dumps(settings))
        done = subprocess.run(
            [sys.executable, "-m", "pyright", "."], cwd=self.folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path: Path) -> Project:
    folder = tmp_path / "project"
    folder.mkdir()
    return Project(folder)


@pytest.fixture
def load(project: Project) -> Iterator[Callable[[str], ModuleType]]:
    """Imports a module of the project, which is forgotten afterwards."""
    names: list[str] = []

    def imported(name: str) -> ModuleType:
        names.append(name.partition(".")[0])
        return importlib.import_module(name)

    sys.path.insert(0, str(project.folder))
    importlib.invalidate_caches()
    try:
        yield imported
    finally:
        sys.path.remove(str(project.folder))
        for known in [m for m in sys.modules if m.partition(".")[0] in names]:
            del sys.modules[known]
