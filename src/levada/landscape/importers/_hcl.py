"""HCL (Terraform): blocks and attributes with their lines; expressions stay text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

__all__ = ["Block", "pairs", "read_hcl"]

MAX_DEPTH = 100
_SPACE = re.compile(r"(?:[ \t\r\n,;]+|#[^\n]*|//[^\n]*|/\*.*?\*/)+", re.DOTALL)
_WORD = re.compile(r'(?:[A-Za-z_][\w.-]*|"(?:[^"\\]|\\.)*"|\([^()\n]*\)|\d+)')
_HEREDOC = re.compile(r"<<[-~]?\"?([A-Za-z_]\w*)\"?[ \t]*\r?\n")
_CLOSING = {"{": "}", "[": "]", "(": ")"}


class Block(Struct, eq=False):
    """``type "label" … { … }``. Attributes are raw expressions."""

    type: str
    labels: list[str]
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    blocks: list[Block] = field(default_factory=list)

    def walk(self) -> Iterator[Block]:
        """This block and all within."""
        yield self
        for block in self.blocks:
            yield from block.walk()

    def expressions(self) -> Iterator[str]:
        """All expressions in it."""
        for block in self.walk():
            yield from block.attributes.values()


def read_hcl(text: str) -> Block:
    """The body of a file as one block without a type.

    Lenient: what cannot be read as a block or an attribute is passed over.
    """
    root = Block("", [], 1)
    _body(text, 0, root, 0)
    return root


def pairs(expression: str) -> dict[str, str]:
    """The members of an object expression ``{ a = x, b : y }``; empty if it is none."""
    text = expression.strip()
    if text.startswith(("merge(", "tomap(")):
        out: dict[str, str] = {}
        for start in (m.start() for m in re.finditer(r"\{", text)):
            out.update(pairs(text[start : _end(text, start)]))
        return out
    if not text.startswith("{"):
        return {}
    root = Block("", [], 1)
    _body(text, 1, root, 0)
    return {k.strip('"() '): v for k, v in root.attributes.items()}


def _body(text: str, at: int, into: Block, depth: int) -> int:
    while at < len(text):
        if space := _SPACE.match(text, at):
            at = space.end()
            continue
        if text[at] == "}":
            return at + 1
        word = _WORD.match(text, at)
        if word is None or depth > MAX_DEPTH:
            at += 1
            continue
        at = _after(text, word, into, depth)
    return at


def _after(text: str, word: re.Match[str], into: Block, depth: int) -> int:
    """An attribute, or a block with its labels."""
    name, at, start = word[0].strip('"'), word.end(), word.start()
    labels: list[str] = []
    while True:
        at += len(text[at:]) - len(text[at:].lstrip(" \t")) if text[at : at + 1] in (" ", "\t") else 0
        mark = text[at : at + 1]
        if mark == "{":
            block = Block(name, labels, text.count("\n", 0, start) + 1)
            into.blocks.append(block)
            return _body(text, at + 1, block, depth + 1)
        if mark in ("=", ":") and text[at : at + 2] not in ("==", "=>"):
            end = _expression(text, at + 1)
            into.attributes[name] = text[at + 1 : end].strip()
            return end
        label = _WORD.match(text, at)
        if label is None:
            return max(at, word.end())
        labels.append(label[0].strip('"'))
        at = label.end()


def _expression(text: str, at: int) -> int:
    """Where an expression ends: at a line's end, a comma or a closing bracket outside all of its own."""
    while at < len(text):
        char = text[at]
        if char in "\n,}])":
            return at
        if char in "{[(":
            at = _end(text, at)
        elif char == '"':
            at = _string(text, at)
        elif char == "#" or text[at : at + 2] in ("//", "/*"):
            return at
        elif char == "<" and (heredoc := _HEREDOC.match(text, at)):
            close = re.compile(rf"^[ \t]*{heredoc[1]}[ \t]*\r?$", re.MULTILINE).search(text, heredoc.end())
            at = close.end() if close else len(text)
        elif char in "?:" or text[at : at + 2] in ("&&", "||"):
            at += 1
            while at < len(text) and text[at] in " \t\r\n":
                at += 1
        else:
            at += 1
    return at


def _end(text: str, at: int) -> int:
    """Behind the bracket that closes the one at ``at``."""
    waiting = [_CLOSING[text[at]]]
    at += 1
    while at < len(text) and waiting:
        char = text[at]
        if char == '"':
            at = _string(text, at)
            continue
        if char == "#" or text[at : at + 2] == "//":
            at = text.find("\n", at)
            if at < 0:
                return len(text)
            continue
        if text[at : at + 2] == "/*":
            at = _comment(text, at)
            continue
        if char == "<" and (heredoc := _HEREDOC.match(text, at)):
            close = re.compile(rf"^[ \t]*{heredoc[1]}[ \t]*\r?$", re.MULTILINE).search(text, heredoc.end())
            at = close.end() if close else len(text)
            continue
        if char in _CLOSING:
            waiting.append(_CLOSING[char])
        elif char == waiting[-1]:
            waiting.pop()
        at += 1
    return at


def _comment(text: str, at: int) -> int:
    end = text.find("*/", at + 2)
    return len(text) if end < 0 else end + 2


def _string(text: str, at: int, level: int = 0) -> int:
    """Behind the closing quote of the string that begins at ``at``, over ``${ … "…" … }``."""
    at += 1
    depth = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 2
            continue
        if text[at : at + 2] in ("${", "%{"):
            depth += 1
            at += 2
            continue
        if depth and char == '"' and level < MAX_DEPTH:
            at = _string(text, at, level + 1)
            continue
        if depth and char == "}":
            depth -= 1
        elif char == '"' and not depth:
            return at + 1
        elif char == "\n" and not depth:
            return at
        at += 1
    return at
