"""Tables named in SQL text; enough to say what is shared, no parser of any dialect."""

from __future__ import annotations

import re

__all__ = ["tables_in"]

_COMMENT = re.compile(
    r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\b(?:extract|trim|substring|overlay)\s*\([^)]*\)",
    re.DOTALL | re.IGNORECASE,
)
_TABLE = re.compile(
    r"\b(?:from|join|into|update|merge\s+into|delete\s+from|truncate(?:\s+table)?|copy|call)\s+(?:only\s+)?"
    r"([\"`\[]?[A-Za-z_][\w$#]*[\"`\]]?(?:\s*\.\s*[\"`\[]?[A-Za-z_][\w$#]*[\"`\]]?){0,2}(?:@\w+)?)",
    re.IGNORECASE,
)
_NO_TABLE = re.compile(
    r"\bon\s+(?:duplicate\s+key|conflict(?:\s*\([^)]*\))?\s+do)\s+update\b|\bfor\s+(?:no\s+key\s+)?update(?:\s+(?:of\s+\w+|nowait))?"
    r"|\bon\s+(?:update|delete)\s+\w+",
    re.IGNORECASE,
)
"""Where ``update`` is followed by columns or nothing."""
_NO = frozenset(
    ["select", "set", "values", "where", "dual", "lateral", "unnest", "stdin", "stdout", "the", "a"]
)


def tables_in(sql: str) -> list[str]:
    """Names of tables that a statement reads or writes, in order, each once, quotes taken off.

    Names of common table expressions are left out.
    """
    text = _NO_TABLE.sub(" ", _COMMENT.sub(" ", sql))
    local = {
        m.lower()
        for m in re.findall(r"(?:\bwith(?:\s+recursive)?|,)\s+([A-Za-z_]\w*)\s+as\s*\(", text, re.IGNORECASE)
    }
    out: dict[str, None] = {}
    for found in _TABLE.finditer(text):
        name = re.sub(r"[\"`\[\]\s]", "", found[1])
        if name.lower() not in _NO and name.lower() not in local:
            out.setdefault(name)
    return list(out)
