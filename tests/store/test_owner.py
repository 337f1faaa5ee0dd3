"""The file of a store is its user's alone, and another user is told whose it is."""

import contextlib
import os
import pwd
import tempfile
from pathlib import Path

import pytest

from levada.store import open_store
from levada.store.errors import StoreUnusable
from levada.store.schema import status

ME = pwd.getpwuid(os.geteuid()).pw_name
NOBODY = 65534


@pytest.fixture
def folder():
    """One that everybody may enter."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


@contextlib.contextmanager
def as_another(folder, monkeypatch):
    """Root becomes another user; who is not root takes his own rights away, and says that he is another."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
        return
    modes = {file: file.stat().st_mode for file in (*folder.iterdir(), folder)}
    for file, mode in modes.items():
        file.chmod((mode & 0o007) * 0o111)
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: NOBODY)
        yield
    for file, mode in modes.items():
        file.chmod(mode)


def modes(folder):
    return {file.name: f"{file.stat().st_mode & 0o777:o}" for file in folder.iterdir() if file.is_file()}


async def test_all_files_of_a_store_are_its_users_alone(folder):
    store = await open_store(f"sqlite:{folder}/levada.db")
    found = modes(folder)
    await store.close()
    assert {"levada.db", "levada.db-wal", "levada.db-shm", "levada.db.lock"} <= set(found)
    assert set(found.values()) == {"600"}


@pytest.mark.parametrize(("before", "after"), [(0o644, "600"), (0o664, "600"), (0o640, "640")])
async def test_one_that_everybody_may_read_is_closed(folder, before, after):
    url = f"sqlite:{folder}/levada.db"
    await (await open_store(url)).close()
    (folder / "levada.db").chmod(before)
    await (await open_store(url)).close()
    assert modes(folder)["levada.db"] == after


@pytest.mark.parametrize("running", [True, False])
@pytest.mark.parametrize("readable", [True, False])
async def test_another_user_is_told_whose_it_is(folder, monkeypatch, running, readable):
    url = f"sqlite:{folder}/levada.db"
    store = await open_store(url)
    if not running:
        await store.close()
    if readable:
        (folder / "levada.db").chmod(0o644)
    with as_another(folder, monkeypatch):
        for look in (open_store, *(() if readable else (status,))):
            with pytest.raises(StoreUnusable) as told:
                await look(url)
            assert f"It belongs to the user {ME}" in told.value.message
            assert f"sudo -u {ME} levada" in told.value.message
    await store.close()


async def test_another_user_leaves_no_lock_that_keeps_its_owner_out(folder, monkeypatch):
    folder.chmod(0o777)
    url = f"sqlite:{folder}/levada.db"
    await (await open_store(url)).close()
    (folder / "levada.db.lock").unlink()
    (folder / "levada.db").chmod(0o644)
    with as_another(folder, monkeypatch), pytest.raises(StoreUnusable, match=f"belongs to the user {ME}"):
        await open_store(url)
    assert not (folder / "levada.db.lock").exists()
    await (await open_store(url)).close()
