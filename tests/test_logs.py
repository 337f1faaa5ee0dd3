"""What is logged is an event: a stable name of one form, and fields."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

SRC = Path(__file__).parents[1] / "src" / "levada"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
NAME = re.compile(r"[a-z]+(_[a-z]+)+")


def logged() -> Iterator[tuple[str, str]]:
    """Each place that logs, and the first argument there as it is written."""
    for file in SRC.rglob("*.py"):
        if "testing" in file.parts:
            continue  # what the test kit logs is read by people, below a test that fails
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log" | "_log"), attr=level), args=[first, *_]
                ) if level in LEVELS:
                    yield f"{file.relative_to(SRC)}:{node.lineno}", ast.unparse(first).strip("'\"")


def test_each_event_of_the_log_has_a_name():
    found = dict(logged())
    assert found
    assert {place: name for place, name in found.items() if not NAME.fullmatch(name)} == {}
