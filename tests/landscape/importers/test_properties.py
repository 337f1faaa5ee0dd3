"""Settings as Java keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from levada.landscape.importers._properties import Properties
from levada.landscape.importers._source import SourceFile


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("a.b=http://x.org/?c=d\n", {"a.b": ("http://x.org/?c=d", 1)}),
        ("a.b: http://x.org/?c=d\n", {"a.b": ("http://x.org/?c=d", 1)}),
        ("a.b=http\\://x.org\\:80/\n", {"a.b": ("http://x.org:80/", 1)}),
        ("a\\:b=c\n", {"a:b": ("c", 1)}),
        ("# no\n! no\n\na = b \\\n   c\nd e\n", {"a": ("b c", 4), "d": ("e", 6)}),
        ("a=b\\\\\nc=d\\", {"a": ("b\\", 1), "c": ("d\\", 2)}),
        ("a=x\u2028y\x85z\r\nb=", {"a": ("x\u2028y\x85z", 1), "b": ("", 2)}),
    ],
)
def test_keys_values_and_lines(tmp_path: Path, text: str, held: dict[str, tuple[str, int]]) -> None:
    path = tmp_path / "a.properties"
    path.write_bytes(text.encode())
    found = Properties([SourceFile(path, "a.properties", tmp_path)]).values
    assert {k: (p.value, p.line) for k, p in found.items()} == held
