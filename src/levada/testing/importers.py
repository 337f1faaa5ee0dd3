"""The conformance suite of importers: what every one keeps, whoever wrote it.

An importer's tests call :func:`check_importer` with a folder of its own small fixtures.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import get_args

from levada.landscape.importers import Importer, SourceFile, Verified
from levada.landscape.mapping import Mapped, map_folders

__all__ = ["check_importer"]

_BROKEN = (
    b"",
    b"\0\1\2\3",
    b"{",
    b"<a",
    b"- a\n b: [",
    b"\xff\xfe\xff",
    b'a,b\n"',
    "grüße".encode("latin-1"),
    b"\n" * 1000,
)


def check_importer(make: Callable[[], Importer], fixture: Path) -> Mapped:
    """Check an importer against the protocol with one folder of its files; returns what it read.

    Checked: its name and words; that it recognises a file of the folder and none that is
    empty or broken; that every node, flow and finding names a file of the folder and a line
    within it; that reading twice gives the same; that a cut or broken file becomes a finding
    and stops nothing; that flows stay apart from their own consumer.

    Raises:
        AssertionError: With what was not kept.
    """
    importer = make()
    assert importer.name == importer.name.lower().strip(), f"{importer.name!r}: names are lower case"
    assert importer.formats, f"{importer.name} names no formats"
    assert importer.verified in get_args(Verified), (
        f"{importer.name}: {importer.verified!r} is no word of Verified"
    )
    first, second = (map_folders([fixture], use=[make()]) for _ in range(2))
    assert any(r.importer == importer.name for r in first.files), (
        f"{importer.name} recognises no file of {fixture}"
    )
    assert first.network.sorted() == second.network.sorted(), (
        f"{importer.name} reads the same files differently"
    )
    _places(first, fixture)
    for flow in first.network.flows.values():
        assert flow.consumer != flow.provider, f"{flow.id} leads to itself"
        assert flow.evidence, f"{flow.id} has no evidence"
    _broken(make, fixture)
    return first


def _places(mapped: Mapped, fixture: Path) -> None:
    root = fixture if fixture.is_dir() else fixture.parent
    told = [(f"flow {i}", e.source, e.line) for i, f in mapped.network.flows.items() for e in f.evidence]
    told += [(f"node {i}", e.source, e.line) for i, n in mapped.network.nodes.items() for e in n.evidence]
    told += [(f"finding {f.kind}", f.source, f.line) for f in mapped.network.findings if f.source]
    known = {r.source for r in mapped.files}
    for what, source, line in told:
        if source not in known:
            continue  # a file that the source itself cites
        if line is not None and not source.endswith((".gz", ".xlsx")):
            count = (root / source).read_bytes().count(b"\n") + 1
            assert 1 <= line <= count, f"{what}: {source} has {count} lines, not {line}"


def _broken(make: Callable[[], Importer], fixture: Path) -> None:
    root = fixture if fixture.is_dir() else fixture.parent
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        originals = [p for p in root.rglob("*") if p.is_file()][:20]
        for number, original in enumerate(originals):
            content = original.read_bytes()[: 4 * 1024 * 1024]
            for part, cut in enumerate(
                (content[: len(content) // 2], content[: len(content) * 9 // 10], content[1:])
            ):
                place = folder / f"{number}-{part}" / original.relative_to(root)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(cut)
        for number, content in enumerate(_BROKEN):
            for original in originals[:5]:
                place = folder / f"broken-{number}" / original.name
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(content)
                assert make().recognise(SourceFile(place, place.name, folder)) <= 1
        map_folders([folder], use=[make()])
