"""Foreign text in generated code: as a literal, a docstring or a comment, and never as code."""

from __future__ import annotations

import inspect
import textwrap
import unicodedata

__all__ = ["WIDTH", "clean", "comment", "docstring", "quoted"]

WIDTH = 100
"""Columns of generated code."""


def clean(text: str) -> str:
    """Without control characters, lone surrogates and marks that change a line's direction.

    The last show a reader other code than the interpreter sees (CVE-2021-42574).
    """
    lines = text.expandtabs(4).splitlines()
    return "\n".join(
        "".join(c for c in line if unicodedata.category(c) not in ("Cc", "Cs", "Cf")) for line in lines
    )


def quoted(text: str) -> str:
    """A string literal, in double quotes unless single ones need fewer escapes, whatever the text holds."""
    # With both quotes in it, repr takes single ones, and escapes only those.
    inner = repr("'\"" + text)[4:-1]
    if text.count('"') > text.count("'"):
        return f"'{inner}'"
    return '"' + inner.replace("\\'", "'").replace('"', '\\"') + '"'


def comment(text: str, indent: str) -> str:
    """A comment of one or several lines."""
    width = WIDTH - len(indent) - 2
    return "\n".join(
        f"{indent}# {line}" for line in _prose(" ".join(clean(text).split()), width).splitlines()
    )


def docstring(text: str, indent: str) -> str:
    """A docstring; what the text holds cannot end it."""
    safe = inspect.cleandoc(clean(text)).replace("\\", "\\\\").replace('"""', "'''")
    safe = _prose(safe, WIDTH - len(indent) - 3)
    if safe.startswith('"'):
        safe = f" {safe}"
    if safe.endswith('"'):
        safe += "."
    lines = [line.rstrip() for line in safe.splitlines()] or [""]
    if len(lines) == 1:
        return f'{indent}"""{lines[0]}"""'
    rest = "\n".join(f"{indent}{line}".rstrip() for line in lines[1:])
    return f'{indent}"""{lines[0]}\n{rest}\n{indent}"""'


def _prose(text: str, width: int) -> str:
    """Text whose long lines are broken at spaces; lists and code keep their lines."""
    lines: list[str] = []
    for line in text.splitlines():
        lead = line[: len(line) - len(line.lstrip())]
        mark = "  " if line.lstrip()[:2] in ("- ", "* ") else ""
        lines += textwrap.wrap(
            line.strip(), max(40, width), initial_indent=lead, subsequent_indent=lead + mark,
            break_long_words=False, break_on_hyphens=False,
        ) or [""]  # fmt: skip
    return "\n".join(lines)
