"""A worker's process is killed with SIGKILL, again and again; the systems' rows are the judge."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

RUNS = 60
HERE = Path(__file__).parent


def begin(folder, runs):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen([sys.executable, str(HERE / "killed_worker.py"), str(folder), str(runs)], env=env)


def done(folder):
    try:
        with sqlite3.connect(f"file:{folder}/legacy.db?mode=ro", uri=True) as db:
            return [tuple(row) for row in db.execute("SELECT what, arguments FROM done")]
    except sqlite3.OperationalError:
        return []


@pytest.mark.slow
def test_killed_again_and_again_each_order_has_each_effect_once(tmp_path):
    process = begin(tmp_path, RUNS)
    try:
        for share in (0.1, 0.3, 0.5, 0.8):
            give_up = time.monotonic() + 30
            while len(done(tmp_path)) < share * RUNS * 4:
                assert process.poll() is None
                assert time.monotonic() < give_up
                time.sleep(0.005)
            process.send_signal(signal.SIGKILL)
            process.wait(10)
            process = begin(tmp_path, 0)
        assert process.wait(60) == 0
    finally:
        process.kill()
    effects = done(tmp_path)
    assert Counter(what for what, _ in effects) == {"hold": RUNS, "reserve": 2 * RUNS, "ship": RUNS}
    assert len(set(effects)) == 4 * RUNS
