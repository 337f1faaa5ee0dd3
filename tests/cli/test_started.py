"""A verb that is forked does and says what one does whose interpreter was started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.started import levada

NEEDLESS = "raise ModuleNotFoundError('not here', name='openpyxl')\n"
BROKEN = 'import sys\nprint("path", sys.path[0])\nraise SystemExit(7)\n'
"""The module of an app, which says where it is looked for and ends the process."""


def real(folder, *arguments, env=None, program=None):
    command = [program] if program else [sys.executable, "-m", "levada"]
    return subprocess.run(
        [*command, *arguments], cwd=folder, capture_output=True, text=True, timeout=60, env=env
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "club.py").write_text(BROKEN)
    (tmp_path / "levada.toml").write_text('[app]\nmodules = ["club"]\n')
    (tmp_path / "absent").mkdir()
    (tmp_path / "absent" / "openpyxl.py").write_text(NEEDLESS)
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "flows.csv").write_text("consumer,provider,mode\na,b,sync\n")
    return tmp_path


@pytest.mark.parametrize(
    "arguments",
    [(), ("--help",), ("nonsense",), ("runs", "list"), ("describe",), ("review", "x", "--json"), ("map", "flows")],
    ids=" ".join,
)  # fmt: skip
def test_it_says_and_ends_as_a_real_one(folder, arguments):
    forked, started = levada(folder, *arguments), real(folder, *arguments)
    assert (forked.returncode, forked.stdout, forked.stderr) == (
        started.returncode, started.stdout, started.stderr,
    )  # fmt: skip


def test_modules_are_looked_for_as_by_the_installed_command(folder):
    program = Path(sys.executable).with_name("levada")
    env = {**os.environ, "PYTHONPATH": str(folder)}
    forked = levada(folder, "describe", env=env, program=program)
    started = real(folder, "describe", env=env, program=program)
    assert (forked.returncode, forked.stdout, forked.stderr) == (7, started.stdout, started.stderr)


def test_a_module_of_pythonpath_is_found_before_an_installed_one(folder):
    env = {**os.environ, "PYTHONPATH": str(folder / "absent")}
    assert levada(folder, "map", "flows", "--out", "n.xlsx", env=env).stderr.startswith("LV1606")
    assert levada(folder, "map", "flows", "--out", "n.xlsx").returncode == 0


def test_how_it_ends_is_told(folder):
    (folder / "club.py").write_text("import signal, os\nos.kill(os.getpid(), signal.SIGKILL)\n")
    assert levada(folder, "describe").returncode == -9
    (folder / "club.py").write_text("import atexit\natexit.register(print, 'bye')\n")
    forked, started = levada(folder, "describe"), real(folder, "describe")
    assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
    assert forked.stdout.endswith("bye\n")


def test_one_that_hangs_is_ended(folder):
    (folder / "club.py").write_text("import threading\nthreading.Event().wait()\n")
    with pytest.raises(subprocess.TimeoutExpired):
        levada(folder, "describe", timeout=0.5)
    assert levada(folder, "--version").returncode == 0


def test_ctrl_c_is_not_ignored(folder):
    (folder / "club.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    assert levada(folder, "describe").returncode == 130
