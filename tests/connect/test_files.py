"""Drops here and behind SFTP: each file once, whole or not at all, whatever its name, whatever breaks."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.connect.sftpserver import PASSWORD, SftpServer

from levada.connect.errors import OutcomeUnknown, SettingsError, Unavailable
from levada.connect.files import (
    ClaimLost,
    DeliveryConflict,
    Drop,
    DropSettings,
    FileRefused,
    HalfWritten,
    Taken,
)
from levada.testing.link import Link

PICKER = Path(__file__).with_name("picker.py")


class Site:
    """A drop's folder on this disk, and how it is reached."""

    def __init__(self, root: Path, url: str, hosts: str, server: SftpServer | None) -> None:
        self.root = root
        self.url = url
        self.hosts = hosts
        self.server = server

    def drop(self, **settings: object) -> Drop:
        """A drop that looks often."""
        given = {
            "ready": "renamed",
            "poll": 0.01,
            "known_hosts": self.hosts,
            "password": "env:DROP",
            **settings,
        }
        return Drop(DropSettings(url=self.url, **given), name="out")  # type: ignore[arg-type]

    def files(self, folder: str = "") -> list[str]:
        place = self.root / folder
        return sorted(p.name for p in place.iterdir() if p.is_file()) if place.is_dir() else []


@pytest.fixture(params=["folder", "sftp"])
async def site(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Site]:
    monkeypatch.setenv("DROP", PASSWORD)
    root = tmp_path / "files"
    root.mkdir()
    if request.param == "folder":
        yield Site(root, f"folder:{root}", "off", None)
        return
    async with SftpServer(root) as server:
        yield Site(root, server.url, server.known_hosts(tmp_path / "known_hosts"), server)


async def take_all(drop: Drop) -> dict[str, bytes]:
    """Everything that is ready now, and done with."""
    found: dict[str, bytes] = {}
    async for file in drop.pick_up(once=True):
        async with file:
            found[file.name] = await file.read()
    return found


async def take(drop: Drop) -> Taken:
    async for file in drop.pick_up():
        return file
    raise AssertionError


# -- each file once ------------------------------------------------------------------


async def test_files_are_taken_oldest_first_and_end_among_the_done(site: Site):
    for at, name in enumerate(("c.csv", "a.csv", "b.csv")):
        (site.root / name).write_bytes(name.encode())
        os.utime(site.root / name, (1_700_000_000 + at, 1_700_000_000 + at))
    async with site.drop() as drop:
        assert list(await take_all(drop)) == ["c.csv", "a.csv", "b.csv"]
        assert await take_all(drop) == {}
    assert (site.files(), site.files("taken")) == ([], [])
    assert site.files("done") == ["a.csv", "b.csv", "c.csv"]


async def test_racing_pickers_share_the_files_and_each_goes_to_one(site: Site):
    names = [f"{n:03}.csv" for n in range(60)]
    for name in names:
        (site.root / name).write_bytes(name.encode())
    drops = [site.drop() for _ in range(4)]
    for drop in drops:
        await drop.start()
    try:
        shares = await asyncio.gather(*(take_all(drop) for drop in drops))
    finally:
        for drop in drops:
            await drop.stop()
    assert Counter(name for share in shares for name in share) == Counter(names)
    assert site.files("done") == names


async def test_a_file_of_a_name_that_was_done_before_is_done_too(site: Site):
    async with site.drop() as drop:
        for content in (b"one", b"two"):
            (site.root / "x.csv").write_bytes(content)
            assert await take_all(drop) == {"x.csv": content}
    assert sorted((site.root / "done" / n).read_bytes() for n in site.files("done")) == [b"one", b"two"]


def test_a_worker_killed_anywhere_loses_no_file_and_doubles_none(tmp_path: Path):
    """SIGKILL at each change of a name, one after the other; then another worker takes over."""
    died = 0
    for kill_at in range(1, 40):
        root, effects = tmp_path / str(kill_at), tmp_path / f"{kill_at}.effects"
        root.mkdir()
        for name in ("a.csv", "b.csv"):
            (root / name).write_bytes(name.encode())
        url = f"folder:{root}"
        ended = subprocess.run(
            [sys.executable, PICKER, url, "off", effects, str(kill_at)], capture_output=True, timeout=60
        )
        assert ended.returncode in (0, -9), ended.stderr.decode()
        asyncio.run(finish(url, effects))
        everywhere = sorted(p.name for p in root.rglob("*.csv*"))
        assert everywhere == ["a.csv", "b.csv"], f"killed at {kill_at}: {everywhere}"
        assert sorted(p.name for p in (root / "done").iterdir()) == ["a.csv", "b.csv"]
        # What was done before the kill may be done again, under the same key: that is what keys are for.
        done = {line.split()[0]: line.split()[1] for line in effects.read_text().splitlines()}
        assert sorted(done.values()) == ["a.csv", "b.csv"]
        died += ended.returncode != 0
        if ended.returncode == 0:
            break
    assert died >= 8


async def finish(url: str, effects: Path) -> None:
    async with Drop(DropSettings(url=url, ready="renamed", lease=0, poll=0.01), name="out") as drop:
        async for file in drop.pick_up(once=True):
            async with file:
                with effects.open("ab") as out:
                    out.write(f"{await file.key()} ".encode() + await file.read() + b"\n")


async def test_a_claim_older_than_its_lease_goes_to_another_and_the_first_is_told(site: Site):
    (site.root / "x.csv").write_bytes(b"x")
    async with site.drop(lease=600) as slow, site.drop(lease=0) as fast:
        held = await take(slow)
        with pytest.raises(ClaimLost, match=r"x\.csv"):
            async with held:
                assert await take_all(fast) == {"x.csv": b"x"}
    assert site.files("done") == ["x.csv"]


async def test_a_worker_that_lives_keeps_its_claim_beyond_the_lease(site: Site):
    (site.root / "x.csv").write_bytes(b"x")
    async with site.drop(lease=0.3) as mine, site.drop(lease=0.3) as other, await take(mine):
        for _ in range(40):  # a second: several leases
            assert await take_all(other) == {}
            await asyncio.sleep(0.025)
    assert site.files("done") == ["x.csv"]


async def test_a_handler_that_fails_leaves_the_reason_beside_the_file(site: Site):
    (site.root / "x.csv").write_bytes(b"x")
    async with site.drop() as drop:
        with pytest.raises(ValueError, match="column"):
            async with await take(drop):
                raise ValueError("no column 'price'; see sftp://u:hunter2@host/")
    assert site.files("failed") == ["x.csv", "x.csv.reason.txt"]
    reason = (site.root / "failed" / "x.csv.reason.txt").read_text()
    assert "no column 'price'" in reason
    assert "hunter2" not in reason


@pytest.mark.parametrize("error", [Unavailable, OutcomeUnknown, asyncio.CancelledError])
async def test_what_may_yet_succeed_is_put_back(site: Site, error: type[BaseException]):
    (site.root / "x.csv").write_bytes(b"x")
    async with site.drop() as drop:
        with pytest.raises(error):
            async with await take(drop):
                raise error(resource="erp", reason="-") if error is not asyncio.CancelledError else error
        assert await take_all(drop) == {"x.csv": b"x"}


# -- never a half-written one --------------------------------------------------------


async def test_a_file_that_grows_is_not_taken_until_it_has_settled(site: Site):
    async with site.drop(ready="settled", settle=0.2) as drop:
        for length in range(1, 6):
            (site.root / "x.csv").write_bytes(b"x" * length)
            assert await take_all(drop) == {}
        found: dict[str, bytes] = {}
        while not found:
            found = await take_all(drop)
    assert found == {"x.csv": b"xxxxx"}


async def test_a_file_waits_for_its_marker_and_takes_it_along(site: Site):
    async with site.drop(ready="marker") as drop:
        (site.root / "x.csv").write_bytes(b"x")
        assert await take_all(drop) == {}
        (site.root / "x.csv.ok").touch()
        assert await take_all(drop) == {"x.csv": b"x"}
        # The next of this name is not ready by the marker of the former.
        (site.root / "x.csv").write_bytes(b"half")
        assert await take_all(drop) == {}


async def test_the_marker_of_a_worker_that_died_lets_no_half_written_file_through(site: Site):
    async with site.drop(ready="marker", lease=600) as dead, site.drop(ready="marker", lease=0) as drop:
        (site.root / "x.csv").write_bytes(b"x")
        (site.root / "x.csv.ok").touch()
        await take(dead)
        (site.root / "x.csv.ok").touch()  # as if it had died before it removed it
        assert await take_all(drop) == {"x.csv": b"x"}
        (site.root / "x.csv").write_bytes(b"half")
        assert await take_all(drop) == {}


async def test_a_file_written_on_after_it_was_taken_is_put_back(site: Site):
    (site.root / "x.csv").write_bytes(b"x")
    async with site.drop() as drop:
        with pytest.raises(HalfWritten):
            async with await take(drop):
                (held,) = (site.root / "taken").iterdir()
                held.write_bytes(b"x and more")
        assert await take_all(drop) == {"x.csv": b"x and more"}


# -- names ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "line\nbreak.csv",
        "a b'\"$(x)~1~.csv",
        "ü.csv",
        "\udcff\udcfe.csv",
        "..csv"[1:] + "..csv",
        "12~ab~x.csv",
    ],
)
async def test_a_file_of_any_name_is_taken_once(site: Site, name: str):
    (site.root / name).write_bytes(b"x")
    async with site.drop() as drop:
        if name.startswith("."):
            assert await take_all(drop) == {}
            return
        file = await take(drop)
        async with file:
            assert file.name == name
            assert len(await file.key()) == 64
            repr(file)
    assert site.files("done") == [name]


@pytest.mark.parametrize("name", ["x.part", "x.TMP", "x.filepart", ".hidden"])
async def test_names_of_what_is_under_way_are_left_alone(site: Site, name: str):
    (site.root / name).write_bytes(b"x")
    async with site.drop() as drop:
        assert await take_all(drop) == {}
    assert site.files() == [name]


async def test_a_link_leads_nowhere(site: Site, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"not yours")
    (site.root / "in.csv").symlink_to(secret)
    (site.root / "folder.csv").mkdir()
    os.mkfifo(site.root / "pipe.csv")
    (site.root / "x.csv").write_bytes(b"x")
    async with site.drop() as drop:
        assert await take_all(drop) == {"x.csv": b"x"}
    assert secret.read_bytes() == b"not yours"


async def test_a_file_that_becomes_a_link_after_it_was_taken_is_not_read(tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"!")
    site = Site(tmp_path / "files", f"folder:{tmp_path}/files", "off", None)
    site.root.mkdir()
    (site.root / "x.csv").write_bytes(b"x")
    async with site.drop() as drop:
        file = await take(drop)
        (held,) = (site.root / "taken").iterdir()
        held.unlink()
        held.symlink_to(tmp_path / "secret")
        with pytest.raises(FileRefused):
            await file.read()
        file.ended = True


async def test_a_name_too_long_to_be_claimed_keeps_no_other_waiting_and_is_told(site: Site):
    (site.root / ("l" * 250)).write_bytes(b"x")
    (site.root / "x.csv").write_bytes(b"x")
    async with site.drop() as drop:
        assert await take_all(drop) == {"x.csv": b"x"}
        health = await drop.health()
        assert health.facts["refused"] == 1
        (site.root / ("l" * 250)).rename(site.root / "short.csv")
        assert await take_all(drop) == {"short.csv": b"x"}
        assert (await drop.health()).facts["refused"] == 0


@pytest.mark.parametrize("name", ["", "../x.csv", "a/b.csv", "a\\b", ".hidden", "x.part", "nul\0"])
async def test_a_name_that_leads_elsewhere_is_not_delivered(site: Site, name: str):
    async with site.drop() as drop:
        with pytest.raises(ValueError, match="cannot be the name"):
            await drop.deliver(name, b"x")
    assert site.files() == []


# -- delivering ----------------------------------------------------------------------


async def test_a_delivery_is_there_once_though_it_was_fetched_and_repeated(site: Site):
    async with site.drop() as drop:
        await drop.deliver("o-1.csv", b"order")
        assert (site.root / "o-1.csv").read_bytes() == b"order"
        await drop.deliver("o-1.csv", b"order")
        (site.root / "o-1.csv").unlink()  # the receiver has it
        await drop.deliver("o-1.csv", b"order")
        assert site.files() == []
        with pytest.raises(DeliveryConflict, match=r"o-1\.csv"):
            await drop.deliver("o-1.csv", b"another order")


async def test_racing_deliveries_of_one_name_leave_one_file_and_nothing_else(site: Site):
    async with site.drop() as one, site.drop() as two:
        await asyncio.gather(*(drop.deliver("o-1.csv", b"order") for drop in (one, two) * 5))
    assert site.files() == ["o-1.csv"]
    assert [n for n in site.files(".delivered") if n != "o-1.csv.json"] == []


async def test_a_full_disk_leaves_no_half_file_and_goes_on_once_there_is_room(site: Site, tmp_path: Path):
    if site.server is not None:
        site.server.full = 1000
        release = lambda: setattr(site.server, "full", None)  # noqa: E731
    else:
        release = small_disk(site.root)
    try:
        async with site.drop(receipts=None) as drop:
            with pytest.raises(Unavailable, match="No space left"):
                await drop.deliver("o-1.csv", b"x" * 3_000_000)
            assert [p.name for p in site.root.iterdir() if p.is_file() and p.name != "ballast"] == []
            release()
            await drop.deliver("o-1.csv", b"x" * 100_000)
            assert (site.root / "o-1.csv").stat().st_size == 100_000
    finally:
        if site.server is None:
            subprocess.run(["umount", site.root], check=True, timeout=30)


def small_disk(folder: Path):
    """A disk of 2 MiB, mounted there; returns what makes room on it."""
    if os.geteuid() != 0:
        if os.environ.get("CI") == "true":
            pytest.fail("a small disk can be mounted by root alone")
        pytest.skip("a small disk can be mounted by root alone")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True, timeout=30)
    (folder / "ballast").write_bytes(b"x" * 1_500_000)
    return (folder / "ballast").unlink


# -- the other side ------------------------------------------------------------------


@pytest.fixture
async def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SftpServer]:
    monkeypatch.setenv("DROP", PASSWORD)
    async with SftpServer(tmp_path / "files") as made:
        yield made


def over(server: SftpServer, hosts: str, **settings: object) -> Drop:
    return Drop(DropSettings(url=server.url, known_hosts=hosts, poll=0.01, **settings), name="out")  # type: ignore[arg-type]


async def test_a_host_that_is_not_the_known_one_gets_neither_password_nor_files(
    server: SftpServer, tmp_path: Path
):
    async with SftpServer(tmp_path / "impostor") as impostor:
        hosts = server.known_hosts(tmp_path / "hosts", impostor.port)
        async with over(impostor, hosts, password="env:DROP") as drop:
            with pytest.raises(Unavailable, match=r"(?i)host key"):
                await drop.deliver("o-1.csv", b"order")
            assert not (await drop.health()).ok
    assert list((tmp_path / "impostor").iterdir()) == []


async def test_a_host_has_to_be_named_as_known():
    from levada.connect import open_resource

    with pytest.raises(SettingsError, match="known_hosts"):
        open_resource("out", {"url": "sftp://u@host/"})


async def test_a_key_is_taken_from_its_reference_and_a_broken_one_is_told(server: SftpServer, tmp_path: Path):
    hosts = server.known_hosts(tmp_path / "hosts")
    server.client_key.write_private_key(str(tmp_path / "key"))
    async with over(server, hosts, key=f"file:{tmp_path}/key") as drop:
        await drop.deliver("o-1.csv", b"order")
    (tmp_path / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n")
    async with over(server, hosts, key=f"file:{tmp_path}/key") as drop:
        with pytest.raises(SettingsError, match="no private key") as caught:
            await drop.deliver("o-2.csv", b"order")
    assert "nonsense" not in str(caught.value)


async def test_a_wrong_password_is_told_without_it(
    server: SftpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DROP", "wrong-s3cret")
    async with over(server, server.known_hosts(tmp_path / "hosts"), password="env:DROP") as drop:
        with pytest.raises(Unavailable, match=r"(?i)denied") as caught:
            await drop.deliver("o-1.csv", b"order")
        assert "wrong-s3cret" not in str(caught.value) + repr(await drop.health())


async def test_a_server_that_goes_in_mid_transfer_leaves_nothing_that_is_picked_up(
    server: SftpServer, tmp_path: Path
):
    async with Link("127.0.0.1", server.port) as link:
        hosts = server.known_hosts(tmp_path / "hosts", link.port)
        settings = DropSettings(
            url=link.url(server.url), known_hosts=hosts, password="env:DROP", ready="renamed", poll=0.01
        )
        for answers in range(60):
            async with Drop(settings, name="out") as drop:
                link.cut_after(answers)
                try:
                    await drop.deliver("o-1.csv", b"x" * 200_000)
                except (OutcomeUnknown, Unavailable):
                    whole = server.root / "o-1.csv"
                    assert not whole.exists() or whole.stat().st_size == 200_000
                else:
                    break
                finally:
                    await link.heal()
        async with Drop(settings, name="out") as drop:
            assert {n: len(d) for n, d in (await take_all(drop)).items()} == {"o-1.csv": 200_000}


async def test_a_renewal_whose_answer_was_lost_keeps_the_claim(server: SftpServer, tmp_path: Path):
    (server.root / "x.csv").write_bytes(b"x")
    async with Link("127.0.0.1", server.port) as link:
        hosts = server.known_hosts(tmp_path / "hosts", link.port)
        settings = DropSettings(
            url=link.url(server.url), known_hosts=hosts, password="env:DROP", ready="renamed", poll=0.01,
            lease=0.3, timeout=0.2,
        )  # fmt: skip
        async with Drop(settings, name="out") as drop:
            file = await take(drop)
            (first,) = server.root.glob("taken/*")
            async with file:
                link.hold()
                while first.exists():  # the renewal is done, and nobody hears of it
                    await asyncio.sleep(0.01)
                await asyncio.sleep(0.25)
                await link.heal()
                assert await file.read() == b"x"
    assert [p.name for p in server.root.glob("done/*")] == ["x.csv"]


async def test_no_more_at_once_than_its_pool(server: SftpServer, tmp_path: Path):
    async with Link("127.0.0.1", server.port) as link:
        hosts = server.known_hosts(tmp_path / "hosts", link.port)
        settings = DropSettings(
            url=link.url(server.url), known_hosts=hosts, password="env:DROP", pool=1, timeout=0.4
        )
        async with Drop(settings, name="out") as drop:
            await drop.health()
            link.hold()
            first = asyncio.create_task(drop.deliver("o-1.csv", b"x"))
            await asyncio.sleep(0.1)
            with pytest.raises(Unavailable):  # it waited in line: nothing of it was begun
                await drop.deliver("o-2.csv", b"x")
            with pytest.raises((OutcomeUnknown, Unavailable)):
                await first
