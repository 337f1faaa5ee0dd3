"""Ctrl-C: exit code 130, no stack trace, nothing half done."""

import json
import os
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.cli.test_every_verb import everything, prepared  # noqa: F401 - a fixture

HERE = Path(__file__).with_name("interrupted.py")
ROOT = HERE.parents[2]


def interrupted(folder, text, *arguments):
    return subprocess.run(
        [sys.executable, str(HERE), text, *arguments], cwd=folder, capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize(
    ("at", "verb"),
    [
        ("levada.toml", ("run",)),
        ("levada.db", ("run",)),
        ("levada.toml", ("up",)),
        (".shop.", ("new", "shop")),
        ("contracts", ("new", "shop")),
        ("Makefile", ("new", "shop")),
        ("crontab", ("map", "landscape")),
        ("crontab", ("map", "landscape", "--out", "map.yaml")),
        (".half", ("map", "landscape", "--out", "map.yaml")),
        (".half", ("map", "landscape", "--out", "map.xlsx")),
        (".half", ("map", "landscape", "--questions", "questions.xlsx")),
        (".half", ("report", "landscape", "--out", "report.html")),
        ("crontab", ("blueprint", "landscape")),
        ("crontab", ("plan", "landscape", "--csv", "plan.csv")),
        ("crontab", ("report", "landscape")),
        ("openapi.json", ("client", "openapi.json", "--out", "club_client.py")),
        (".half", ("client", "openapi.json", "--out", "club_client.py")),
        (".half", ("contract", "diff", "--write")),
        ("openapi.json", ("adopt", "openapi.json", "--out", "adopted")),
        ("levada.toml", ("events", "tail")),
        ("levada.toml", ("runs", "list")),
        ("levada.toml", ("doctor",)),
        ("levada.db", ("db", "backup", "tuesday.db")),
        (".levada.db.half", ("db", "restore", "monday.db", "--why", "w")),
    ],
)
def test_ctrl_c_is_130_without_a_stack_trace_and_leaves_nothing_half_done(prepared, at, verb):  # noqa: F811
    before = everything(prepared)
    told = interrupted(prepared, at, *verb)
    assert told.returncode == 130, told.stderr
    assert "Traceback" not in told.stderr
    assert everything(prepared) == before


@pytest.mark.parametrize("module", ["levada.cli", "levada.cli.main", "cyclopts"])
@pytest.mark.parametrize("start", ["-m", "script"])
def test_ctrl_c_while_python_imports_is_no_stack_trace(tmp_path, start, module):
    """Sent when the module is asked for the first time."""
    script = (
        "import os, signal, sys\n"
        "def hook(event, arguments):\n"
        f"    if event == 'import' and arguments[0] == {module!r} and {module!r} not in sys.modules:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.addaudithook(hook)\n"
    )
    script += (
        "import runpy; runpy.run_module('levada', run_name='__main__')"
        if start == "-m"
        else "from levada.__main__ import main; sys.exit(main())"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, "map", "--formats"], cwd=tmp_path, capture_output=True, text=True
    )
    assert told.returncode == 130, told.stderr
    assert told.stderr == ""


def test_nothing_is_imported_before_ctrl_c_is_waited_for():
    script = (
        "import sys; had = set(sys.modules); import levada.__main__; print(*sorted(set(sys.modules) - had))"
    )
    told = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=ROOT / "src", capture_output=True, text=True
    )
    assert told.stdout.split() == ["__future__", "levada", "levada.__main__"]


def test_the_command_is_the_module():
    made = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert made["project"]["scripts"] == {"levada": "levada.__main__:main"}


def served(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "levada", *arguments, "--json"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    "arguments", [("run", "--port", "0"), ("run", "--port", "0", "--workers", "2"), ("up", "--port", "0")]
)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_deployment_that_serves_ends_by_itself_and_says_by_what(prepared, arguments, number, code):  # noqa: F811
    running = served(prepared, *arguments)
    try:
        assert json.loads(running.stdout.readline())["event"] == "ready"
        os.killpg(running.pid, number)  # as a terminal does: all of the group
        _, told = running.communicate(timeout=40)
    finally:
        running.kill()
    assert running.returncode == code, told
    assert "Traceback" not in told


@pytest.mark.parametrize("verb", [("run", "--port", "0"), ("runs", "list"), ("db", "migrate")])
def test_a_start_that_hangs_is_broken_off(tmp_path, verb):
    """The store's server accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/x"
        (tmp_path / "levada.toml").write_text(f'[app]\nmodules = ["club"]\n[store]\nurl = "{url}"\n')
        (tmp_path / "club.py").write_text(
            "from levada import ExperienceAPI, http\n\n\n"
            'class Club(ExperienceAPI, domain="club", version="1.0"):\n    """Club."""\n\n'
            '    @http.get("/rules")\n    async def rules(self) -> str:\n        """Rules."""\n        return ""\n'
        )
        running = subprocess.Popen(
            [sys.executable, "-m", "levada", *verb], cwd=tmp_path, stderr=subprocess.PIPE, text=True
        )
        with silent.accept()[0]:
            running.send_signal(signal.SIGINT)
            _, told = running.communicate(timeout=4)
    assert running.returncode == 130, told
    assert "Traceback" not in told


def test_the_demo_takes_what_it_has_started_with_it(tmp_path):
    running = subprocess.Popen(
        [sys.executable, "-m", "examples.order_to_cash.demo"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, start_new_session=True, env={**os.environ, "CI": "true"},
    )  # fmt: skip
    assert running.stdout.readline()
    os.killpg(running.pid, signal.SIGINT)
    told, _ = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "Traceback" not in told
    assert left_of(running.pid) == []


def left_of(session: int) -> list[str]:
    """Processes that are still there of a session."""
    found = subprocess.run(["ps", "-s", str(session), "-o", "pid=,args="], capture_output=True, text=True)
    return found.stdout.splitlines()
