"""The settings of a file drop."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

__all__ = ["DropSettings"]


class DropSettings(Struct, frozen=True, kw_only=True):
    """How files are left and picked up.

    Attributes:
        url: ``folder:path``, ``sftp://user@host:port/path``; or a reference.
        password: Reference to the password (SFTP), read again for each connection.
        key: Reference to the private key's text (SFTP).
        known_hosts: Path of the file with the host's key (SFTP). Obligatory; ``"off"`` trusts any host, for tests.
        pattern: Which names are picked up. Default ``*``. Names that begin with a dot or end
            in ``.part``, ``.tmp`` or ``.filepart`` never are.
        ready: When a file counts as whole: ``settled`` (default): size and time did not change for
            ``settle`` seconds; ``renamed``: at once, since its writer renames it into place;
            ``marker``: once a file of its name and ``marker`` lies beside it.
        settle: Seconds without change. Default 2.
        marker: What is appended to the name for its marker. Default ``.ok``.
        taken, done, failed: Folders below the drop for files under way, finished, and failed.
        lease: Seconds after which the file of a worker that died is given to another. Default 300; workers
            renew it while they live. The clocks of several hosts have to agree within a third of it; one that is
            set while they work takes no file from anybody.
        poll: Seconds between looks. Default 2.
        receipts: Folder below the drop in which ``deliver`` remembers what it left, so that a repeat is
            recognised even after the receiver took the file away. Default ``.delivered``; None where
            no folder may be made: a repeat is then recognised only while the file lies there.
        largest: Bytes that a file may have. Default 256 MiB.
        timeout: Seconds that one operation may take. Default 30. A nearer deadline counts first.
        connect_timeout: Seconds to connect (SFTP). Default 10.
        pool: Operations at once. Default 4.
    """

    url: str
    password: str | None = None
    key: str | None = None
    known_hosts: str | None = None
    pattern: str = "*"
    ready: Literal["settled", "renamed", "marker"] = "settled"
    settle: float = 2.0
    marker: str = ".ok"
    taken: str = "taken"
    done: str = "done"
    failed: str = "failed"
    lease: float = 300.0
    poll: float = 2.0
    receipts: str | None = ".delivered"
    largest: int = 256 * 1024 * 1024
    timeout: float = 30.0
    connect_timeout: float = 10.0
    pool: int = 4
