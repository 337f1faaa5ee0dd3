"""The warehouse's files: CSV with a head line, the lines, and an end line that counts them.

Order, ``in/<order>.csv``::

    H,<order>,<customer>,<country>
    L,<line>,<sku>,<quantity>
    E,<number of L lines>

Dispatch, ``out/D-<order>-<part>.csv``::

    H,<dispatch>,<order>,<part>,<parts>
    L,<line>,<sku>,<quantity>
    E,<number of L lines>
"""

from __future__ import annotations

import csv
import io
import re

from msgspec import Struct

__all__ = ["Halfway", "Malformed", "OrderLine", "dispatch_text", "order_text", "parse"]

_ORDER = re.compile(r"[A-Za-z0-9-]{1,40}")


class Malformed(ValueError):
    """The file can never be taken."""


class Halfway(ValueError):
    """The end line is not there (yet)."""


class OrderLine(Struct, frozen=True, array_like=True):
    line: int
    sku: str
    quantity: int


def order_text(order: str, customer: str, country: str, lines: list[OrderLine]) -> str:
    """An order file, for those who write one."""
    return _text(["H", order, customer, country], lines)


def dispatch_text(dispatch: str, order: str, part: int, parts: int, lines: list[OrderLine]) -> str:
    """A dispatch file."""
    return _text(["H", dispatch, order, part, parts], lines)


def _text(head: list[object], lines: list[OrderLine]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows(
        [head, *(["L", line.line, line.sku, line.quantity] for line in lines), ["E", len(lines)]]
    )
    return out.getvalue()


def parse(data: bytes, name: str) -> tuple[str, list[OrderLine]]:
    """Order number and lines of an order file.

    Raises:
        Halfway: it has no end line.
        Malformed: it is wrong, with line and reason.
    """
    text = _decode(data)
    if not re.search(r"(\A|\n)E,\d+\r?\n\Z", text):
        raise Halfway("there is no end line E,<count>")
    try:
        rows = list(csv.reader(io.StringIO(text), strict=True))
    except csv.Error as error:
        raise Malformed(f"not CSV: {error}") from None
    head, body, end = rows[0], rows[1:-1], rows[-1]
    if len(head) != 4 or head[0] != "H" or not _ORDER.fullmatch(head[1]):
        raise Malformed("line 1: H,<order>,<customer>,<country> expected")
    if name != f"{head[1]}.csv" and not name.startswith(f"{head[1]}."):
        raise Malformed(f"line 1: order {head[1]} in a file named {name}")
    if int(end[1]) != len(body) or not body:
        raise Malformed(f"line {len(rows)}: {end[1]} lines announced, {len(body)} there, at least 1 needed")
    return head[1], [_line(row, at) for at, row in enumerate(body, 2)]


def _decode(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise Halfway("a character is cut in two") from None
        raise Malformed(f"not UTF-8 at byte {error.start}") from None


def _line(row: list[str], at: int) -> OrderLine:
    good = (
        len(row) == 4
        and row[0] == "L"
        and row[2]
        and all(re.fullmatch(r"[1-9]\d{0,8}", row[n]) for n in (1, 3))
    )
    if not good:
        raise Malformed(f"line {at}: L,<line>,<sku>,<quantity above 0> expected, got {','.join(row)!r}")
    return OrderLine(int(row[1]), row[2], int(row[3]))
