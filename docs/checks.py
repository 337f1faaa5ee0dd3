"""Reads ``tests/typing/hire/mistakes.py``: who finds which mistake. The page ``reference/checks.md`` is made of it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field
from pathlib import Path

from docs.bad_input import section

MISTAKES = Path(__file__).parents[1] / "tests" / "typing" / "hire" / "mistakes.py"
CHECKERS = ("pyright", "mypy", "ty")


@dataclass
class Mistake:
    """One function of the file: ``found`` are lines by checker, ``said`` is in Levada's own message."""

    function: str
    what: str
    found: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    said: str | None = None


def mistakes() -> list[Mistake]:
    """All of them, in the order of the file."""
    text = MISTAKES.read_text()
    comments = {
        token.start[0]: token.string
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.COMMENT
    }
    return [_mistake(node, comments) for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]


def _mistake(node: ast.FunctionDef, comments: dict[int, str]) -> Mistake:
    made = Mistake(node.name, ast.get_docstring(node) or "")
    for line in range(node.lineno, (node.end_lineno or node.lineno) + 1):
        comment = comments.get(line, "")
        for checker in (re.findall(r"# found by: ([\w ]+)", comment) or [""])[0].split():
            made.found.setdefault(checker, set()).add(line)
        if "# assembly: " in comment:
            made.said = comment.partition("# assembly: ")[2]
    return made


def page(head: str) -> str:
    """The table."""
    lines = [
        head,
        "# What is checked, and by whom",
        "",
        "A mistake is told as early as it can be known: by a type checker while one writes, and by Levada when a class is made or an app assembled (an error with",
        "place, reason and mend), never first at a request. Which of them tells which mistake is held by the tests, with pyright and mypy in strict mode and ty.",
        "",
        "| mistake | pyright | mypy | ty | Levada |",
        "|---|---|---|---|---|",
    ]
    for mistake in mistakes():
        cells = ["yes" if checker in mistake.found else "-" for checker in CHECKERS]
        lines.append(f"| {mistake.what} | {' | '.join(cells)} | {'yes' if mistake.said else '-'} |")
    return "\n".join([*lines, *section()]) + "\n"
