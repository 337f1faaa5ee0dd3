"""What the example's programs say stays whole on a narrow terminal, and its commands work where they are typed."""

import sys
from io import StringIO
from pathlib import Path

from examples.order_to_cash import shown
from examples.order_to_cash.before.__main__ import table
from examples.order_to_cash.before.compare import Row
from rich.console import Console


def printed(what, width: int = 80) -> list[str]:
    console = Console(width=width, file=StringIO())
    console.print(what)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_before_and_after_are_not_cut_on_a_narrow_terminal():
    rows = [
        Row("  asked of the warehouse twice", "12", "0", "counted", "after"),
        Row(
            "orders with an error",
            "28 of 198 (14.1%)",
            "0 of 198 (0.0%)",
            "counted",
            "in what the systems hold",
        ),
    ]
    for width in (80, 60):
        text = printed(table(rows, [row.note for row in rows]), width)
        assert "…" not in "".join(text)
        words = " ".join(text).split()
        assert {"(14.1%)", "warehouse", "twice", "(0.0%)"} <= set(words), text


def test_what_goes_on_on_another_line_keeps_its_indent():
    first, *rest = printed(shown.step("Legacy systems", "word " * 30))
    assert first.startswith("  ✓ Legacy systems   word")
    assert rest
    assert all(line.startswith(" " * 21 + "word") for line in rest if line.strip())
    assert all(line.startswith("  word") for line in printed(shown.said("word " * 30)) if line.strip())


def test_a_command_is_shown_as_it_works_here(monkeypatch, tmp_path):
    own = Path(sys.executable).with_name("levada")
    monkeypatch.setenv("PATH", str(own.parent))
    assert shown.levada() == "levada"
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(own.parents[2])
    assert shown.levada() == str(Path(*own.parts[-3:]))
    monkeypatch.chdir(tmp_path)
    assert shown.levada() == str(own)
