"""``levada VERB`` as a process of its own, without waiting for an interpreter and the packages of others.

``levada(folder, "keys", "list")`` does what ``python -m levada keys list`` does in that folder. The process is forked from one
that has imported what Levada needs of others, and nothing of Levada: each verb imports what it needs of Levada itself, in the
order of a real start. Where the environment has what only an interpreter's start reads, the start is real; and what a start as
such does is tried where tests start ``sys.executable`` themselves: help, Ctrl-C, deployments that serve, pipelines on the pages.
"""

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

OF_OTHERS = (
    "aiohttp", "asyncio", "cryptography.hazmat.primitives.ciphers.aead", "cyclopts", "getpass", "http.client", "jwt", "msgspec",
    "rich.console", "rich.markup", "rich.progress", "rich.table", "rich.text", "rich.tree", "sqlite3", "tomllib", "urllib.request",
    "uvicorn", "yaml",
)  # fmt: skip
"""None of them starts a thread, which a fork would leave behind."""
READ_AT_THE_START = ("PYTHON", "LANG", "LC_")
"""Of the environment, by how the name begins; ``PYTHONPATH`` is made up for."""
OF_A_PROJECT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_PLUGINS": "pytest_asyncio.plugin"}
"""For the pytest of a project: with what ``levada new`` names, and nothing more that happens to be installed here."""


def levada(
    folder: Path,
    *arguments: object,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
    program: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end, as ``subprocess.run`` does.

    Args:
        folder: Where it runs.
        arguments: What follows ``levada`` in the command line.
        env: All of its environment; by default this process's.
        timeout: Seconds.
        program: The installed command, if that is what is run; its folder is on ``sys.path`` then, and not where it runs.
    """
    given = [str(argument) for argument in arguments]
    environment = dict(os.environ if env is None else env)
    if not _alike(environment, os.environ):
        command = [*([program] if program else [sys.executable, "-m", "levada"]), *given]
        return subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=timeout, env=environment
        )
    return _source(os.getpid()).run(
        folder, program.parent if program else folder, given, environment, timeout
    )


def _alike(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    def read(environment: Mapping[str, str]) -> dict[str, str]:
        return {k: v for k, v in environment.items() if k.startswith(READ_AT_THE_START) and k != "PYTHONPATH"}

    return read(one) == read(other)


@functools.cache
def _source(_of: int) -> "_Source":
    """One for each process that runs tests."""
    return _Source()


class _Source:
    """The process that all verbs are forked from, and the way to it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"},
            )  # fmt: skip
        atexit.register(self._end)

    def _end(self) -> None:
        self._socket.close()
        self._process.wait()

    def run(
        self, folder: Path, first: Path, arguments: list[str], env: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        out, out_there = os.pipe()
        err, err_there = os.pipe()
        try:
            asked = json.dumps([os.fspath(folder), os.fspath(first), arguments, env]).encode()
            socket.send_fds(self._socket, [len(asked).to_bytes(4, "big")], [out_there, err_there])
            self._socket.sendall(asked)
        finally:
            os.close(out_there)
            os.close(err_there)
        pid = self._number()
        try:
            said = _read({out: b"", err: b""}, timeout)
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._number()
            raise subprocess.TimeoutExpired(["levada", *arguments], timeout) from None
        code = os.waitstatus_to_exitcode(self._number())
        texts = [text.decode().replace("\r\n", "\n") for text in said.values()]
        return subprocess.CompletedProcess(["levada", *arguments], code, *texts)

    def _number(self) -> int:
        found = self._socket.recv(8, socket.MSG_WAITALL)
        assert len(found) == 8, "what verbs are forked from has ended"
        return int.from_bytes(found, "big")


def _read(said: dict[int, bytes], timeout: float) -> dict[int, bytes]:
    """What is written to the pipes till all ends of them are closed."""
    until = time.monotonic() + timeout
    with selectors.DefaultSelector() as open_:
        for pipe in said:
            open_.register(pipe, selectors.EVENT_READ)
        while open_.get_map():
            ready = open_.select(max(0, until - time.monotonic()))
            if not ready:
                for pipe in said:
                    os.close(pipe)
                raise TimeoutError
            for key, _ in ready:
                if part := os.read(key.fd, 65536):
                    said[key.fd] += part
                else:
                    open_.unregister(key.fd)
    for pipe in said:
        os.close(pipe)
    return said


# -- the process that verbs are forked from ----------------------------------------------


def _forks(way: socket.socket) -> None:
    """Fork whenever it is asked for; returns in the forks alone, as the process that was asked for."""
    while True:
        size, pipes, _, _ = socket.recv_fds(way, 4, 2)
        if not size:
            os._exit(0)
        asked = way.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
        pid = os.fork()
        if not pid:
            way.close()
            _become(pipes, *json.loads(asked))
            return
        for pipe in pipes:
            os.close(pipe)
        way.sendall(pid.to_bytes(8, "big"))
        way.sendall(os.waitpid(pid, 0)[1].to_bytes(8, "big"))


def _become(pipes: list[int], folder: str, first: str, arguments: list[str], env: dict[str, str]) -> None:
    for number, pipe in enumerate(pipes, 1):
        os.dup2(pipe, number)
        os.close(pipe)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.argv[1:] = arguments
    sys.path[:1] = [first, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]


if __name__ == "__main__":
    for _name in OF_OTHERS:
        importlib.import_module(_name)
    assert not [m for m in sys.modules if m.partition(".")[0] == "levada"]
    gc.collect()
    gc.freeze()
    _forks(socket.socket(fileno=int(sys.argv[1])))
    # Not in a function: what the verb raises is told and ends the process as in one that was started.
    runpy.run_module("levada", run_name="__main__", alter_sys=True)
