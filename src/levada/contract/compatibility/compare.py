"""Whether everything that one description writes can be read by another, as msgspec decodes it.

What a writer may leave out counts as left out: members with a default, since a journal
keeps no defaults and other languages send none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from levada.contract.compatibility.sample import NONE, around, sample, within
from levada.contract.compatibility.wire import (
    Array,
    Choice,
    Map,
    Member,
    Object,
    Plain,
    Ref,
    Row,
    Types,
    Union,
    Wire,
)

__all__ = ["Code", "Difference", "differences"]

Code: TypeAlias = Literal["type", "left_out", "missing", "closed", "value", "null", "option", "length"]
"""What a reader minds: another type; a member that may be left out, or is gone; a member it does not
know and refuses; a value it does not take; null; an option of a union it does not know; too few or many."""


class Difference(Struct, frozen=True):
    """One thing that the writer may write and the reader refuses.

    ``path`` leads to it (``$.lines[].price``), ``name`` is the member or the value that it
    is about, ``written`` an example of the whole value, or :data:`NONE`.
    """

    path: str
    code: Code
    writes: str
    reads: str
    name: str = ""
    written: Any = NONE


def differences(writer: Wire, writes: Types, reader: Wire, reads: Types) -> list[Difference]:
    """What the reader refuses of all that the writer may write; nothing: it reads everything.

    Args:
        writer: What is written, with the types it refers to in ``writes``.
        writes: See there.
        reader: What reads it, with the types it refers to in ``reads``.
        reads: See there.
    """
    return list(_Comparison(writes, reads).of(writer, reader, "$"))


_JSON_KIND = {"null": "null", "bool": "bool", "int": "int", "float": "float", "any": "any"}
_READS_INT = frozenset({"int", "float", "decimal"})
_READS_FLOAT = frozenset({"float", "decimal"})


class _Comparison:
    def __init__(self, writes: Types, reads: Types) -> None:
        self._writes = writes
        self._reads = reads
        self._assumed: set[tuple[str, str]] = set()

    def of(self, writer: Wire, reader: Wire, path: str) -> Iterator[Difference]:
        if isinstance(writer, Ref) and isinstance(reader, Ref):
            if (pair := (writer.name, reader.name)) in self._assumed:
                return
            self._assumed.add(pair)
        writer, reader = self._written(writer), self._read(reader)
        if isinstance(reader, Plain) and reader.kind == "any":
            return
        if isinstance(writer, Union):
            for option in writer.options:
                yield from self.of(option, reader, path)
            return
        if isinstance(writer, Choice):
            yield from self._choice(writer, reader, path)
            return
        target = self._target(writer, reader)
        if target is None:
            code: Code = "option" if isinstance(reader, Union) else "type"
            if isinstance(writer, Plain) and writer.kind == "null":
                code = "null"
            yield self._told(writer, reader, path, code)
            return
        yield from self._pair(writer, target, path)

    def _pair(self, writer: Wire, reader: Wire, path: str) -> Iterator[Difference]:
        """Two descriptions of one kind of JSON."""
        match writer, reader:
            case Plain(), Plain():
                return self._plain(writer, reader, path)
            case Object(), Object():
                return self._object(writer, reader, path)
            case Object(), Map():
                return self._object_as_map(writer, reader, path)
            case Map(), Map():
                return self._map(writer, reader, path)
            case Array(), Array():
                return self._array(writer, reader, path)
            case Row(), Row():
                return self._row(writer, reader, path)
            case Row(), Array():
                return self._row_as_array(writer, reader, path)
            case _:
                return iter((self._told(writer, reader, path, "type"),))

    # -- which option of a union reads it

    def _target(self, writer: Wire, reader: Wire) -> Wire | None:
        """What of the reader takes a value of this kind, references followed; None: nothing does."""
        options = self._options(reader)
        kind = _kind(writer)
        if kind == "any":
            return next((o for o in options if _kind(o) == "any"), None)
        if isinstance(writer, Object):
            return self._object_option(writer, options)
        return min((o for o in options if _takes(o, kind)), key=_rank, default=None)

    def _object_option(self, writer: Object, options: list[Wire]) -> Wire | None:
        found = [o for o in options if isinstance(o, Object | Map)]
        if len(found) > 1 or (found and isinstance(found[0], Object) and found[0].tag is not None):
            tagged = [o for o in found if isinstance(o, Object) and o.tag == writer.tag]
            same = [o for o in tagged if isinstance(o, Object) and o.tag_field == writer.tag_field]
            if len(found) == 1 and writer.tag is None:
                return found[0]
            return same[0] if same else None
        return found[0] if found else None

    def _options(self, reader: Wire) -> list[Wire]:
        return [self._read(o) for o in (reader.options if isinstance(reader, Union) else (reader,))]

    def _read(self, wire: Wire) -> Wire:
        return self._reads[wire.name] if isinstance(wire, Ref) else wire

    def _written(self, wire: Wire) -> Wire:
        return self._writes[wire.name] if isinstance(wire, Ref) else wire

    # -- one kind after the other

    def _choice(self, writer: Choice, reader: Wire, path: str) -> Iterator[Difference]:
        options = self._options(reader)
        for value in writer.values:
            kind = "str" if isinstance(value, str) else "int"
            taken = min((o for o in options if _takes(o, kind)), key=_rank, default=None)
            if taken is None or not _reads_value(taken, value):
                # Some text may by chance be a date, or Base64.
                by_chance = isinstance(taken, Plain) and isinstance(value, str) and taken.kind != "str"
                shown = NONE if by_chance else value
                yield Difference(path, "value", _say(writer), _say(reader), repr(value), shown)

    def _plain(self, writer: Plain, reader: Plain, path: str) -> Iterator[Difference]:
        if reader.kind == "str" and writer.kind != "str":
            if any(v is not None for v in (reader.min_length, reader.max_length, reader.pattern)):
                yield self._told(writer, reader, path, "value", shown=NONE)
            return
        if not _reads_kind(writer.kind, reader.kind):
            yield self._told(writer, reader, path, "type")
            return
        if writer.pattern != reader.pattern and reader.pattern is not None:
            yield self._told(writer, reader, path, "value", shown=NONE)
            return
        if reader.tz is not None and writer.tz != reader.tz:
            shown = "2026-01-31T12:00:00" if reader.tz else "2026-01-31T12:00:00Z"
            yield self._told(writer, reader, path, "value", shown=shown)
            return
        if not _number_fits(writer, reader) or not _length_fits(writer, reader):
            yield self._told(writer, reader, path, "value", shown=_outside(writer, reader))

    def _array(self, writer: Array, reader: Array, path: str) -> Iterator[Difference]:
        short = reader.unique and not writer.unique and (reader.min_length or 0) > 1
        if short or not _length_fits(writer, reader):
            n = _length_outside(writer, reader)
            item = sample(writer.item, self._writes)
            shown: Any = (
                NONE
                if n is None or (item is NONE and n) or writer.unique or reader.unique or n > 1000
                else [item] * n
            )
            yield self._told(writer, reader, path, "length", shown=shown)
        for found in self.of(writer.item, reader.item, f"{path}[]"):
            yield self._within(found, writer, 0)

    def _row(self, writer: Row, reader: Row, path: str) -> Iterator[Difference]:
        for i, part in enumerate(reader.parts):
            if i >= len(writer.parts):
                if part.required:
                    yield self._told(writer, reader, path, "length")
                    return
            elif part.required and not writer.parts[i].required:
                yield self._told(writer, reader, path, "length")
            else:
                for found in self.of(writer.parts[i].type, part.type, f"{path}[{i}]"):
                    yield self._within(found, writer, i)
        if reader.closed and len(writer.parts) > len(reader.parts):
            last = len(writer.parts) - 1
            inner = sample(writer.parts[last].type, self._writes)
            yield self._told(writer, reader, path, "length", shown=around(writer, self._writes, last, inner))

    def _row_as_array(self, writer: Row, reader: Array, path: str) -> Iterator[Difference]:
        least = sum(p.required for p in writer.parts)
        most = len(writer.parts)
        if (
            (reader.min_length or 0) > least
            or (reader.max_length is not None and reader.max_length < most)
            or (reader.unique and (reader.min_length or 0) > 1)
        ):
            yield self._told(writer, reader, path, "length", shown=NONE)
        for i, part in enumerate(writer.parts):
            for found in self.of(part.type, reader.item, f"{path}[{i}]"):
                yield self._within(found, writer, i)

    def _map(self, writer: Map, reader: Map, path: str) -> Iterator[Difference]:
        if not _length_fits(writer, reader):
            yield self._told(writer, reader, path, "length", shown=NONE)
        key, read = self._written(writer.key), self._read(reader.key)
        as_text = isinstance(key, Plain) and isinstance(read, Plain) and read.kind == "str"
        if not (as_text and (read.pattern, read.min_length, read.max_length) == (None, None, None)):  # pyright: ignore[reportAttributeAccessIssue]
            yield from map(_without, self.of(key, read, f"{path} key"))
        for found in self.of(writer.value, reader.value, f"{path}{{}}"):
            yield self._within(found, writer, 0)

    def _object_as_map(self, writer: Object, reader: Map, path: str) -> Iterator[Difference]:
        if reader.min_length or reader.max_length is not None or _kind(self._read(reader.key)) != "str":
            yield self._told(writer, reader, path, "type", shown=NONE)
            return
        key = self._read(reader.key)
        if not isinstance(key, Plain) or key.kind != "str" or key.pattern or key.min_length or key.max_length:
            yield self._told(writer, reader, path, "type", shown=NONE)
            return
        if writer.tag is not None:
            yield from map(
                _without, self.of(Choice((writer.tag,)), reader.value, f"{path}.{writer.tag_field}")
            )
        for member in writer.members:
            for found in self.of(member.type, reader.value, f"{path}.{member.name}"):
                yield self._within(found, writer, member.name)

    def _object(self, writer: Object, reader: Object, path: str) -> Iterator[Difference]:
        written = {m.name: m for m in writer.members}
        if writer.tag_field is not None and writer.tag is not None and writer.tag_field not in written:
            written[writer.tag_field] = Member(writer.tag_field, Choice((writer.tag,)))
        known = {m.name for m in reader.members}
        for member in reader.members:
            source = written.get(member.name)
            at = f"{path}.{member.name}"
            if source is None:
                if member.required:
                    shown = sample(writer, self._writes)
                    yield Difference(at, "missing", "nothing", _say(member.type), member.name, shown)
                continue
            if member.required and not source.required:
                shown = sample(writer, self._writes)
                yield Difference(at, "left_out", _say(source.type), _say(member.type), member.name, shown)
            for found in self.of(source.type, member.type, at):
                yield self._within(found, writer, member.name)
        if reader.closed:
            for name, member in written.items():
                if name not in known and name != reader.tag_field:
                    inner = sample(member.type, self._writes)
                    shown = around(writer, self._writes, name, inner)
                    yield Difference(f"{path}.{name}", "closed", _say(member.type), "nothing", name, shown)

    # -- what is told

    def _within(self, found: Difference, writer: Wire, place: str | int) -> Difference:
        return Difference(
            found.path,
            found.code,
            found.writes,
            found.reads,
            found.name,
            around(writer, self._writes, place, found.written),
        )

    def _told(self, writer: Wire, reader: Wire, path: str, code: Code, *, shown: Any = ...) -> Difference:
        example = sample(writer, self._writes) if shown is ... else shown
        return Difference(path, code, _say(writer), _say(reader), "", example)


def _without(found: Difference) -> Difference:
    return Difference(found.path, found.code, found.writes, found.reads, found.name)


def _kind(wire: Wire) -> str:
    """The kind of JSON that a description is written as."""
    match wire:
        case Plain():
            return _JSON_KIND.get(wire.kind, "str")
        case Array() | Row():
            return "array"
        case Object() | Map():
            return "object"
        case _:
            return "mixed"


def _takes(reader: Wire, kind: str) -> bool:
    """Whether a reader's option is the one that is asked for a kind of JSON."""
    match reader:
        case Plain(kind="any"):
            return True
        case Plain():
            wanted = _READS_INT if kind == "int" else _READS_FLOAT if kind == "float" else None
            return reader.kind in wanted if wanted is not None else _kind(reader) == kind
        case Choice():
            return any((kind == "str") == isinstance(v, str) for v in reader.values) and kind in (
                "int",
                "str",
            )
        case _:
            return _kind(reader) == kind


def _rank(option: Wire) -> int:
    """Which of several options of a union msgspec asks: the very type, then values, then wider numbers."""
    if isinstance(option, Choice):
        return 1
    return 2 if isinstance(option, Plain) and option.kind in ("float", "decimal", "any") else 0


def _reads_kind(written: str, read: str) -> bool:
    if written == read:
        return True
    if read == "float":
        return written == "int"
    if read == "decimal":
        return written in ("int", "float")
    return read == "str" and _JSON_KIND.get(written, "str") == "str"


def _reads_value(reader: Wire, value: str | int) -> bool:
    match reader:
        case Choice():
            return any(v == value and type(v) is type(value) for v in reader.values)
        case Plain(kind="any"):
            return True
        case Plain(kind="str"):
            fits = isinstance(value, str) and reader.pattern is None
            return fits and (reader.min_length or 0) <= len(str(value)) <= _most(reader)
        case Plain() if isinstance(value, int):
            return reader.kind in _READS_INT and within(reader, value)
        case _:
            return False


def _most(wire: Plain) -> float:
    return float("inf") if wire.max_length is None else wire.max_length


def _number_fits(writer: Plain, reader: Plain) -> bool:
    whole = writer.kind == "int"
    low = _low(writer, whole)
    high = _high(writer, whole)
    if reader.ge is not None and (low is None or low[0] < reader.ge):
        return False
    if reader.gt is not None and (low is None or low[0] < reader.gt or (low[0] == reader.gt and not low[1])):
        return False
    if reader.le is not None and (high is None or high[0] > reader.le):
        return False
    if reader.lt is not None and (
        high is None or high[0] > reader.lt or (high[0] == reader.lt and not high[1])
    ):
        return False
    if reader.multiple_of:
        return bool(writer.multiple_of) and writer.multiple_of % reader.multiple_of == 0
    return True


def _low(wire: Plain, whole: bool) -> tuple[float, bool] | None:
    """The lower bound, and whether it is itself left out."""
    if wire.gt is not None:
        return (wire.gt + 1, False) if whole and wire.gt == int(wire.gt) else (wire.gt, True)
    return None if wire.ge is None else (wire.ge, False)


def _high(wire: Plain, whole: bool) -> tuple[float, bool] | None:
    if wire.lt is not None:
        return (wire.lt - 1, False) if whole and wire.lt == int(wire.lt) else (wire.lt, True)
    return None if wire.le is None else (wire.le, False)


def _length_fits(writer: Plain | Array | Map, reader: Plain | Array | Map) -> bool:
    if reader.min_length and (writer.min_length or 0) < reader.min_length:
        return False
    most = reader.max_length
    return most is None or (writer.max_length is not None and writer.max_length <= most)


def _length_outside(writer: Plain | Array | Map, reader: Plain | Array | Map) -> int | None:
    """A length that the writer may write and the reader refuses."""
    if reader.min_length and (writer.min_length or 0) < reader.min_length:
        return writer.min_length or 0
    if reader.max_length is not None:
        return max(reader.max_length + 1, writer.min_length or 0)
    return None


def _outside(writer: Plain, reader: Plain) -> Any:
    """A value that the writer may write and the reader refuses, if one is near a bound."""
    if not _length_fits(writer, reader):
        n = _length_outside(writer, reader)
        if n is None or n > 10_000 or writer.pattern is not None:
            return NONE
        if writer.kind == "bytes":
            return sample(Plain("bytes", min_length=n), {})
        return "x" * n
    step = 1 if writer.kind == "int" else 0.5
    candidates: list[float] = [0, 1, -1, step]
    for wire in (reader, writer):
        for bound in (wire.ge, wire.gt, wire.le, wire.lt, wire.multiple_of):
            if bound is not None:
                candidates += [bound, bound - step, bound + step]
    for value in candidates:
        made = int(value) if writer.kind == "int" else float(value)
        if within(writer, made) and not within(reader, made):
            return str(made) if writer.kind == "decimal" else made
    return NONE


def _say(wire: Wire) -> str:
    """A description in a few words."""
    match wire:
        case Plain():
            said = [
                f"{w} {v}"
                for w in ("ge", "gt", "le", "lt", "multiple_of")
                if (v := getattr(wire, w)) is not None
            ]
            said += [
                f"{w.replace('_', ' ')} {v}"
                for w in ("min_length", "max_length", "pattern")
                if (v := getattr(wire, w)) is not None
            ]
            if wire.tz is not None:
                said.append("with offset" if wire.tz else "without offset")
            return f"{wire.kind} ({', '.join(said)})" if said else wire.kind
        case Choice():
            return "one of " + ", ".join(repr(v) for v in wire.values)
        case Array():
            bounds = [
                f"{w} {n}" for w, n in (("at least", wire.min_length), ("at most", wire.max_length)) if n
            ]
            return f"{'set' if wire.unique else 'list'} of {_say(wire.item)}{' (' + ', '.join(bounds) + ')' if bounds else ''}"
        case Row():
            return f"row of {len(wire.parts)}"
        case Map():
            return f"map of {_say(wire.value)}"
        case Object():
            return wire.name
        case Ref():
            return wire.name
        case Union():
            return " or ".join(_say(o) for o in wire.options)
