"""Every code block of the README and of docs/ is executed.

A page has a folder of its own. A block whose first line names a file (``# shop/orders.py``) is that
file; the other Python blocks of a page are one program; of a console block the lines after ``$``
are run and the lines below have to be in the output, where ``…`` stands for anything.
TOML, JSON and YAML blocks have to be well-formed.
"""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.started import OF_A_PROJECT, levada

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")] + sorted(
    ROOT.glob("docs/**/*.md")
)
FENCE = re.compile(r"^```(\S*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"# ([\w./-]+\.(?:py|toml|sql|json|yaml|csv))\n")
SHOWN = {"mermaid", "text", "svg", "http"}
"""Kinds of blocks that are no code."""
SOME_ID = re.compile(r"\b[0-9a-f]{32}\b")
"""In a command of a page it stands for the id that was shown last."""
PLAIN = re.compile(r"levada [^|&;<>$*?~`]*")
"""A command of Levada in which a shell would have nothing to do."""
ELSEWHERE = ("make ", "git ", "pip ", "python3 -m venv", "docker ")
"""Commands that set up a machine or take minutes; targets of make are looked up in the Makefile."""


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    yield from FENCE.findall(page.read_text())


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_blocks_do_what_the_page_says(page: Path, tmp_path: Path):
    session = Session(tmp_path)
    program: list[str] = []
    try:
        for kind, text in blocks(page):
            if (named := NAMED.match(text)) and kind in ("python", "toml", "sql", "json", "yaml", "csv"):
                # CSV has no comments: the line that names the file is not part of it.
                session.write(named[1], text[named.end() :] if kind == "csv" else text)
            elif kind in ("python", "py"):
                # One program: a block may use what those above it made; each is run when it is met.
                program.append(text)
                session.python("\n".join(program))
            elif kind == "console":
                session.console(text)
            elif kind == "toml":
                tomllib.loads(text)
            elif kind == "json":
                json.loads(text)
            else:
                assert kind in SHOWN, f"{page.name} has a block of the kind {kind!r}, which nothing checks"
    finally:
        session.close()


LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")


def links(page: Path) -> Iterator[str]:
    """The pages and files that a page leads to, as it writes them."""
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def test_links_between_pages_lead_somewhere():
    missing = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in links(page)
        if not (page.parent / target).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("front", ["README.md", "docs/index.md"])
def test_the_front_pages_lead_to_every_page(front: str):
    entrances = [ROOT / front, ROOT / "docs/how-to/index.md"]
    reached = {(page.parent / target).resolve() for page in entrances for target in links(page)}
    assert set(ROOT.glob("docs/**/*.md")) - reached - {ROOT / "docs/index.md"} == set()


class Session:
    """The folder of a page, and what was started in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.beside = free_port(), free_port()
        self.served: list[subprocess.Popen[str]] = []
        self.seen: str | None = None
        bin_ = Path(sys.executable).parent
        self.env = {
            **os.environ,
            **OF_A_PROJECT,
            "PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
            "NO_COLOR": "1",
        }

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.here(text))

    def here(self, text: str) -> str:
        text = text.replace("localhost:8000", f"127.0.0.1:{self.port}")
        return text.replace("localhost:8001", f"127.0.0.1:{self.beside}")

    def python(self, program: str) -> None:
        self.run([sys.executable, "-c", self.here(program)])

    def console(self, text: str) -> None:
        command, expected = "", []
        for line in [*text.splitlines(), "$ "]:
            if line.startswith("$ "):
                if command:
                    self.command(command, expected)
                command, expected = line[2:].partition("  #")[0].strip(), []
            elif command.endswith("\\"):
                command = f"{command[:-1]} {line.strip()}"
            else:
                expected.append(line)

    def command(self, command: str, expected: list[str]) -> None:
        command = SOME_ID.sub(lambda found: self.seen or found[0], self.here(command))
        if command.startswith(ELSEWHERE) and not (self.folder / "Makefile").exists():
            if command.startswith("make "):
                target = command.split()[1]
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), (
                    f"no target {target}"
                )
            return
        if command.split()[:2] in (["levada", "run"], ["make", "run"]):
            self.serve(command, expected)
        elif command.startswith("cd "):
            self.folder = self.folder / command[3:]
        else:
            self.shell(command.replace("curl ", "curl -sS "), expected)

    def shell(self, command: str, expected: list[str]) -> None:
        """Run it; a question that changes nothing is asked again until the answer has come about."""
        asks = command.startswith(("curl", "levada runs list")) and " -X " not in command
        until = time.monotonic() + (60 if asks else 0)
        while True:
            output = self.verb(command) if PLAIN.fullmatch(command) else self.run(["bash", "-c", command])
            try:
                return self.expect(output, expected, command)
            except AssertionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.05)

    def run(self, arguments: list[str]) -> str:
        done = subprocess.run(
            arguments, cwd=self.folder, env=self.env, capture_output=True, text=True, timeout=100
        )
        return self.told(arguments[-1], done)

    def verb(self, command: str) -> str:
        _, *arguments = shlex.split(command)
        program = Path(sys.executable).with_name("levada")
        return self.told(command, levada(self.folder, *arguments, env=self.env, timeout=100, program=program))

    def told(self, command: str, done: subprocess.CompletedProcess[str]) -> str:
        # 3: something was found that needs a person, which is what some pages are about.
        assert done.returncode in (0, 3), f"{command}\n{done.stdout}\n{done.stderr}"
        if ids := SOME_ID.findall(done.stdout):
            self.seen = ids[-1]
        return done.stdout + done.stderr

    def serve(self, command: str, expected: list[str]) -> None:
        second = "--config" in command  # in a terminal of its own
        if not second:
            self.close()  # served anew: the former one was stopped with Ctrl-C
        port = self.beside if second else self.port
        program = Path(sys.executable).with_name("levada")  # as on the page: the folder is not on its path
        arguments = [str(program), "run", *command.split()[2:], "--port", str(port)]
        log = self.folder / f"served-{port}.log"
        with log.open("w") as out:
            served = subprocess.Popen(
                arguments,
                cwd=self.folder,
                env=self.env,
                stdout=out,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            )
        self.served.append(served)
        until = time.monotonic() + 60
        while "Ctrl-C" not in log.read_text():
            assert served.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.05)
        self.expect(log.read_text(), [line.replace(":8000", f":{port}") for line in expected], command)

    def expect(self, output: str, expected: list[str], command: str) -> None:
        for line in expected:
            if wanted := line.strip():
                wanted = SOME_ID.sub("…", wanted)
                pattern = r"\s+".join(".*".join(map(re.escape, word.split("…"))) for word in wanted.split())
                assert re.search(pattern, output), f"$ {command}\n{wanted!r} is not in:\n{output}"

    def close(self) -> None:
        for served in self.served:
            served.send_signal(signal.SIGTERM)
            try:
                served.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(served.pid, signal.SIGKILL)
                served.wait()
        self.served.clear()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
