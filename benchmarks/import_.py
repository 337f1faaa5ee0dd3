"""Importing: files a second of n8n and Mule corpora, and a log of a gigabyte in bounded memory.

Corpora come from :mod:`benchmarks._corpus`, a new seed each round; nothing is fetched.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks import _corpus
from benchmarks._ratio import Ratio, ratio_of

NOTES = """
CPU seconds in a process of its own for each side and round. `n8n_files` and `mule_files`: importing a generated corpus against the least that any
reader of it must do (`json.loads` and a walk over the nodes; `xml.etree` and a walk over the elements): 0.1 means that recognising, resolving,
evidence and the search for secrets cost nine times the parsing. `log_lines`: an access log against the same counts as one writes them with `re`,
`datetime.strptime` and `Counter`. `log_memory`: the bound of 200 MB over the peak resident memory of a process that maps a log of 1 GB.
Corpora: `benchmarks._corpus.n8n`, `.mule` and `.access_log`, a new seed each round.
"""

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
BOUND_MB = 200
LOG_MB = int(os.environ.get("BENCH_LOG_MB", "1000"))
_LINE = re.compile(r'(\S+) \S+ (\S+) \[([^\]]+)\] "\S+ ([^ ?"]+)[^"]*" (\d{3}) \S+ "[^"]*" "([^"]*)"')


def run() -> Sequence[Ratio]:
    """Measure; every ratio is of pairs of rounds."""
    return [
        _files("n8n_files", lambda seed, to: _corpus.n8n(seed, 400, to), 400),
        _files("mule_files", lambda seed, to: _corpus.mule(seed, 60, to), 480),
        _lines(),
        _memory(),
    ]


def _files(case: str, make: Callable[[int, Path], int], count: int) -> Ratio:
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(1, ROUNDS + 1):
        with tempfile.TemporaryDirectory() as folder:
            make(seed, Path(folder))
            ours.append(count / _side("levada", folder)[0])
            theirs.append(count / _side(case, folder)[0])
    return ratio_of("import", case, ours, theirs, 0.1, unit="files/s")


def _lines() -> Ratio:
    ours: list[float] = []
    theirs: list[float] = []
    for seed in range(1, ROUNDS + 1):
        with tempfile.TemporaryDirectory() as folder:
            size = _corpus.access_log(seed, 20, Path(folder) / "erp-access.log") / 1e6
            ours.append(size / _side("levada", folder)[0])
            theirs.append(size / _side("log_lines", folder)[0])
    return ratio_of("import", "log_lines", ours, theirs, 1.0, unit="MB/s")


def _memory() -> Ratio:
    with tempfile.TemporaryDirectory() as folder:
        size = _corpus.access_log(0, LOG_MB, Path(folder) / "erp-access.log") / 1e6
        seconds, peak = _side("levada", folder)
    found = ratio_of("import", "log_memory", [peak], [BOUND_MB], 1.0, unit="MB", invert=True)
    ours = f"{peak:.0f} MB peak, {size:,.0f} MB read at {size / seconds:.0f} MB/s"
    return Ratio(
        found.name,
        found.case,
        found.ratio,
        found.low,
        found.high,
        1.0,
        ">=",
        ours,
        f"{BOUND_MB} MB allowed",
        1,
    )


def _side(name: str, folder: str) -> tuple[float, float]:
    """CPU seconds and peak MB of one side, in a process that does nothing else."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.import_", name, folder], check=True, capture_output=True, text=True
    )
    seconds, peak = done.stdout.split()
    return float(seconds), float(peak)


def _levada(folder: Path) -> int:
    from levada.landscape.mapping import map_folders

    return len(map_folders([folder]).network.flows)


def _walk_json(folder: Path) -> int:
    kinds: Counter[str] = Counter()
    for place in folder.rglob("*.json"):
        stack: list[Any] = [json.loads(place.read_text("utf-8"))]
        while stack:
            value = stack.pop()
            if isinstance(value, dict):
                kinds[str(value.get("type"))] += 1
                stack.extend(value.values())
            elif isinstance(value, list):
                stack.extend(value)
    return len(kinds)


def _walk_xml(folder: Path) -> int:
    kinds: Counter[str] = Counter()
    for place in folder.rglob("*.xml"):
        kinds.update(e.tag for e in ElementTree.parse(place).iter())
    return len(kinds)


def _count_lines(folder: Path) -> int:
    calls: Counter[tuple[str, str]] = Counter()
    errors: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], datetime] = {}
    for place in folder.rglob("*.log"):
        with place.open(encoding="utf-8") as file:
            for line in file:
                if found := _LINE.match(line):
                    ip, user, at, path, status, agent = found.groups()
                    who = user if user != "-" else agent.split("/")[0] or ip
                    key = who, "/".join("{}" if p.isdigit() else p for p in path.split("/"))
                    calls[key] += 1
                    errors[key] += status >= "500"
                    last[key] = datetime.strptime(at, "%d/%b/%Y:%H:%M:%S %z")
    return len(calls)


_SIDES: dict[str, Callable[[Path], int]] = {
    "levada": _levada, "n8n_files": _walk_json, "mule_files": _walk_xml, "log_lines": _count_lines,
}  # fmt: skip


def _main(name: str, folder: str) -> None:
    begun = time.process_time()
    if not _SIDES[name](Path(folder)):
        raise AssertionError(f"{name} found nothing")
    print(time.process_time() - begun, _peak())


def _peak() -> float:
    """Peak resident memory in MB; getrusage would tell that of the process that began this one where it was larger."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("utf-8"))
    assert found
    return int(found[1]) / 1024


if __name__ == "__main__":
    _main(*sys.argv[1:])
