"""Files that are written whole or not at all."""

import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from levada._whole import write_together, write_whole


def test_two_that_write_one_file_at_once_leave_one_of_both_whole(tmp_path: Path):
    file = tmp_path / "map.yaml"
    contents = [f"{n}\n" * 1000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(write_whole, file, c) for c in contents * 20]:
            done.result()
    assert file.read_text() in contents
    assert [p.name for p in tmp_path.iterdir()] == ["map.yaml"]


def test_a_long_name_is_written_as_well(tmp_path: Path):
    write_whole(tmp_path / ("m" * 250), "x")
    assert (tmp_path / ("m" * 250)).read_text() == "x"


def test_who_may_read_it_is_as_it_was_and_as_for_any_new_file(tmp_path: Path):
    new, old = tmp_path / "new", tmp_path / "old"
    old.write_text("a")
    old.chmod(0o640)
    held = os.umask(0o027)
    try:
        write_together({new: "b", old: "b"})
    finally:
        os.umask(held)
    assert [stat.S_IMODE(p.stat().st_mode) for p in (new, old)] == [0o640, 0o640]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path: Path):
    file = tmp_path / "a"
    file.write_text("before")
    with pytest.raises(OSError, match="missing"):
        write_together({file: "after", tmp_path / "missing" / "b": "after"})
    assert file.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_standard_output_that_goes_to_a_file_is_written_on(tmp_path: Path):
    log = tmp_path / "log"
    log.write_text("before\n")
    code = "from levada._whole import write_whole; from pathlib import Path; print('first', flush=True); write_whole(Path('/dev/stdout'), 'map\\n'); print('last')"
    with log.open("a") as out:
        subprocess.run([sys.executable, "-c", code], stdout=out, check=True)
    assert log.read_text() == "before\nfirst\nmap\nlast\n"
