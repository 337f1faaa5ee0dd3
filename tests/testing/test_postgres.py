"""Where a server for tests keeps its data, and that nothing of a database is left."""

import shutil
from collections import namedtuple
from pathlib import Path

import psycopg2
import pytest

from levada.testing.servers import postgres as kit

Usage = namedtuple("Usage", "total used free")


@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="there is no folder in memory here")
@pytest.mark.parametrize(("free", "place"), [(8 << 30, "/dev/shm"), (64 << 20, "/var/tmp")])
def test_it_lies_in_memory_where_there_is_room(monkeypatch, free: int, place: str):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(free, 0, free))
    assert kit._place() == place


def test_a_database_is_dropped_also_while_somebody_is_connected(postgres):
    dsn = postgres.database()
    connected = psycopg2.connect(dsn)
    postgres.drop(dsn)
    with pytest.raises(psycopg2.OperationalError, match="does not exist"):
        psycopg2.connect(dsn)
    connected.close()
