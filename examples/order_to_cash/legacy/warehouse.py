"""The warehouse: an SFTP drop. Order files go into ``in/``, dispatch files come out of ``out/``."""

from __future__ import annotations

import asyncio
import os
import random
import time
from pathlib import Path
from typing import Any

import asyncssh
import msgspec
from examples.order_to_cash.legacy.database import open_books, transaction
from examples.order_to_cash.legacy.faults import Dice, Faults
from examples.order_to_cash.legacy.orderfile import Halfway, Malformed, OrderLine, dispatch_text, parse
from examples.order_to_cash.legacy.system import LegacySystem

__all__ = ["PASSWORD", "USER", "Warehouse"]

USER, PASSWORD = "levada", "levada"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (number TEXT PRIMARY KEY, lines BLOB NOT NULL, received INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS request (file TEXT PRIMARY KEY, number TEXT NOT NULL, duplicate INTEGER NOT NULL, differs INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS dispatch (id TEXT PRIMARY KEY, number TEXT NOT NULL REFERENCES orders, part INTEGER NOT NULL,
  parts INTEGER NOT NULL, lines BLOB NOT NULL, due INTEGER NOT NULL, written INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS dispatch_due ON dispatch (due) WHERE written = 0;
CREATE TABLE IF NOT EXISTS rejection (file TEXT PRIMARY KEY, name TEXT NOT NULL, reason TEXT NOT NULL);
"""
_FOLDERS = ("in", "out", "rejected", "archive")
_PATIENCE_S = 2.0
"""A file without its end line that has not grown for so long is rejected as cut off."""
_LARGEST = 4 << 20


class Warehouse(LegacySystem):
    name = "warehouse"

    def __init__(
        self, directory: Path, *, port: int = 0, delay: tuple[float, float] = (0.5, 2.0), partial: float = 0.0,
        seed: int = 0, faults: Faults | None = None,
    ) -> None:  # fmt: skip
        """``delay``: seconds from order to dispatch, least and most; ``partial``: share of orders that go in two parts."""
        super().__init__(directory, port=port, faults=faults)
        self.delay, self.partial, self.seed = delay, partial, seed
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._work: asyncio.Task[None] | None = None
        self._slow: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        return f"sftp://{USER}:{PASSWORD}@{self.host}:{self.port}"

    def _more(self) -> dict[str, Any]:
        return {"host_key": self.host_key, "files": str(self.files)}

    @property
    def files(self) -> Path:
        """The drop's root on disk; over SFTP it is ``/``."""
        return self.directory / "files"

    async def _start(self) -> None:
        for folder in _FOLDERS:
            (self.files / folder).mkdir(parents=True, exist_ok=True)
        self.db = open_books(self.directory / "warehouse.db", _SCHEMA)
        key_file = self.directory / "host_key"
        if not key_file.exists():
            asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(key_file))
        self._key = asyncssh.read_private_key(str(key_file))
        self.host_key = self._key.export_public_key().decode().strip()
        self._work = asyncio.create_task(self._worker())

    async def _stop(self) -> None:
        tasks = [task for task in (self._work, *self._slow) if task is not None]
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        self._work = None
        if hasattr(self, "db"):
            self.db.close()
            del self.db

    async def _open_door(self) -> None:
        self._acceptor = await asyncssh.listen(
            self.host, self.port, server_host_keys=[self._key], server_factory=lambda: _Login(self._connections),
            sftp_factory=lambda channel: _Drop(channel, str(self.files), self.dice), allow_scp=False, config=[],
        )  # fmt: skip
        self.port = self._acceptor.get_port()

    async def _close_door(self) -> None:
        if self._acceptor is not None:
            self._acceptor.close()
            self._acceptor = None
        for connection in list(self._connections):
            connection.abort()

    async def _worker(self) -> None:
        while True:
            # While it is down nobody works there either: what lies in in/ waits.
            if not self.faults.down:
                for path in sorted((self.files / "in").iterdir()):
                    if (
                        path.is_file()
                        and not path.name.startswith(".")
                        and path.suffix not in {".part", ".tmp"}
                    ):
                        self._take(path)
                self._send()
            await asyncio.sleep(0.05)

    def _take(self, path: Path) -> None:
        status = path.stat()
        # Told apart by inode and time: after a crash between commit and move the same file is no second request.
        file = f"{path.name}/{status.st_ino}/{status.st_mtime_ns}"
        try:
            if status.st_size > _LARGEST:
                raise Malformed(f"larger than {_LARGEST} bytes")
            number, lines = parse(path.read_bytes(), path.name)
        except Halfway as halfway:
            if time.time() - status.st_mtime > _PATIENCE_S:
                self._reject(path, file, f"cut off: {halfway}")
            return
        except Malformed as bad:
            self._reject(path, file, str(bad))
            return
        self._enter(file, number, lines)
        path.replace(self.files / "archive" / f"{path.name}.{status.st_mtime_ns}")

    def _enter(self, file: str, number: str, lines: list[OrderLine]) -> None:
        body = msgspec.json.encode(lines)
        chance = random.Random(f"{self.seed}/{number}")
        now = time.time_ns() // 1000
        with transaction(self.db) as db:
            if db.execute("SELECT 1 FROM request WHERE file=?", (file,)).fetchone():
                return
            known = db.execute("SELECT lines FROM orders WHERE number=?", (number,)).fetchone()
            differs = known is not None and known["lines"] != body
            db.execute("INSERT INTO request VALUES (?,?,?,?)", (file, number, known is not None, differs))
            if known is not None:
                return
            db.execute("INSERT INTO orders VALUES (?,?,?)", (number, body, now))
            half = len(lines) // 2 if len(lines) > 1 and chance.random() < self.partial else 0
            parts = [lines[:half], lines[half:]] if half else [lines]
            for at, part in enumerate(parts, 1):
                due = now + int(chance.uniform(*self.delay) * 1e6)
                row = (f"D-{number}-{at}", number, at, len(parts), msgspec.json.encode(part), due)
                db.execute(
                    "INSERT INTO dispatch (id, number, part, parts, lines, due) VALUES (?,?,?,?,?,?)", row
                )

    def _reject(self, path: Path, file: str, reason: str) -> None:
        target = self.files / "rejected" / path.name
        target.with_name(target.name + ".reason").write_text(reason + "\n")
        self.db.execute("INSERT OR IGNORE INTO rejection VALUES (?,?,?)", (file, path.name, reason))
        path.replace(target)

    def _send(self) -> None:
        now = time.time_ns() // 1000 - self.faults.slow_ms * 1000
        rows = self.db.execute(
            "SELECT * FROM dispatch WHERE written=0 AND due<=? ORDER BY due LIMIT 200", (now,)
        ).fetchall()
        if self.faults.out_of_order:
            self.dice.random.shuffle(rows)
        for row in rows:
            lines = msgspec.json.decode(row["lines"], type=list[OrderLine])
            text = dispatch_text(row["id"], row["number"], row["part"], row["parts"], lines)
            names = [f"{row['id']}.csv", *([f"{row['id']}.again.csv"] if self.dice.doubles() else [])]
            for name in names:
                self._write(self.files / "out" / name, text)
        if rows:
            with transaction(self.db) as db:
                db.executemany("UPDATE dispatch SET written=1 WHERE id=?", [(row["id"],) for row in rows])

    def _write(self, path: Path, text: str) -> None:
        if self.faults.half_written_ms:
            task = asyncio.create_task(_slowly(path, text, self.faults.half_written_ms / 1000))
            self._slow.add(task)
            task.add_done_callback(self._slow.discard)
            return
        part = path.with_name(f".{path.name}.part")
        part.write_text(text)
        part.replace(path)

    def all_dispatches(self) -> list[dict[str, Any]]:
        """All dispatches, written or due, by order and part."""
        rows = self.db.execute("SELECT * FROM dispatch ORDER BY number, part")
        return [
            {name: row[name] for name in ("id", "number", "part", "parts", "written")}
            | {"lines": msgspec.json.decode(row["lines"])}
            for row in rows
        ]

    def duplicates(self) -> list[dict[str, Any]]:
        """Requests for an order that was there already; ``differs`` if they asked for something else."""
        return [
            dict(row) for row in self.db.execute("SELECT file, number, differs FROM request WHERE duplicate")
        ]

    async def holdings(self) -> dict[str, Any]:
        rejected = [dict(row) for row in self.db.execute("SELECT name, reason FROM rejection")]
        return {
            "dispatches": self.all_dispatches(),
            "duplicate_requests": self.duplicates(),
            "rejected": rejected,
        }


async def _slowly(path: Path, text: str, seconds: float) -> None:
    """Under its final name from the first byte on, as careless systems do."""
    with path.open("w") as file:
        file.write(text[: len(text) // 2])
        file.flush()
        try:
            await asyncio.sleep(seconds)
        finally:
            file.write(text[len(text) // 2 :])


class _Login(asyncssh.SSHServer):
    def __init__(self, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._all = connections
        self._mine: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._mine = conn
        self._all.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._mine is not None:
            self._all.discard(self._mine)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)


class _Drop(asyncssh.SFTPServer):
    """``drop_after`` cuts the connection after a rename was done."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], root: str, dice: Dice) -> None:
        super().__init__(channel, chroot=os.fsencode(root))
        self._dice = dice

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
        await self._dice.wait()
        return super().open(path, pflags, attrs)

    async def rename(self, oldpath: bytes, newpath: bytes) -> None:
        super().rename(oldpath, newpath)
        self._drop()

    async def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        super().posix_rename(oldpath, newpath)
        self._drop()

    def _drop(self) -> None:
        if self._dice.drops():
            self.connection.abort()
