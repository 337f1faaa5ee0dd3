"""Pairs of types, the second an edit of the first, and values of types as JSON: for the properties of compatibility."""

import base64
import datetime
import decimal
import enum
import itertools
import uuid
from typing import Annotated, Any, Literal, NamedTuple, Union

import msgspec
from hypothesis import strategies as st
from msgspec import Meta, inspect

Strategy = st.SearchStrategy[Any]
_number = itertools.count()
_kept: list[Any] = []
"""Every class that was made: msgspec's caches do not outlive classes that are collected, and the interpreter crashes."""


def _struct(name: str, fields: list[Any], **options: Any) -> Any:
    _kept.append(msgspec.defstruct(f"{name}{next(_number)}", fields, **options))
    return _kept[-1]


def _named_tuple(kinds: list[Any]) -> Any:
    _kept.append(NamedTuple(f"N{next(_number)}", [(f"f{i}", k) for i, k in enumerate(kinds)]))
    return _kept[-1]


def _keep(kind: Any) -> Any:
    _kept.append(kind)
    return kind


SCALARS: list[Any] = [
    bool,
    int,
    float,
    str,
    bytes,
    datetime.datetime,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    uuid.UUID,
    decimal.Decimal,
    None,
    Any,
    Literal["a"],
    Literal["a", "b"],
    Literal[1, 2],
    Literal[1, 2, 3],
    Literal["a", 1, None],
    enum.Enum("Colour", {"RED": "red", "BLUE": "blue"}),
    enum.Enum("Colour", {"RED": "red", "BLUE": "blue", "GREEN": "green"}),
    enum.IntEnum("Level", {"LOW": 1, "HIGH": 2}),
    Annotated[int, Meta(ge=0)],
    Annotated[int, Meta(gt=0)],
    Annotated[int, Meta(ge=0, le=100)],
    Annotated[int, Meta(gt=-1, lt=101)],
    Annotated[int, Meta(multiple_of=5)],
    Annotated[int, Meta(multiple_of=10)],
    Annotated[float, Meta(ge=0, lt=1)],
    Annotated[float, Meta(le=10)],
    Annotated[str, Meta(max_length=3)],
    Annotated[str, Meta(min_length=1, max_length=10)],
    Annotated[str, Meta(pattern="^a+$")],
    Annotated[bytes, Meta(min_length=2)],
    Annotated[datetime.datetime, Meta(tz=True)],
    Annotated[datetime.datetime, Meta(tz=False)],
]
BOUNDS = [None, Meta(max_length=2), Meta(min_length=1), Meta(min_length=2, max_length=3)]


def _bounded(kind: Any, meta: Meta | None) -> Any:
    return kind if meta is None else Annotated[kind, meta]


def _same_or_other(items: list[Any]) -> Strategy:
    one = st.sampled_from(items)
    return st.one_of(one.map(lambda t: (t, t)), one.map(lambda t: (t, t)), st.tuples(one, one))


def pairs() -> Strategy:
    """(type, edited type): often equal in most places."""
    return st.recursive(_same_or_other(SCALARS), _containers, max_leaves=6)


def _containers(inner: Strategy) -> Strategy:
    bounds = _same_or_other(BOUNDS)
    lists = st.tuples(inner, bounds).map(
        lambda p: tuple(_bounded(list[t], b) for t, b in zip(*p, strict=True))
    )
    items = _same_or_other([int, str, bool, datetime.date, Literal["a", "b"]])
    sets = st.tuples(items, bounds).map(lambda p: tuple(_bounded(set[t], b) for t, b in zip(*p, strict=True)))
    mixed = st.tuples(items, bounds).map(lambda p: (list[p[0][0]], _bounded(set[p[0][1]], p[1][1])))
    keys = _same_or_other([str, int, uuid.UUID, Literal["a", "b"], Annotated[str, Meta(max_length=3)]])
    maps = st.tuples(keys, inner).map(lambda p: tuple(dict[k, v] for k, v in zip(*p, strict=True)))
    return st.one_of(
        lists,
        sets,
        mixed,
        maps,
        _rows(inner),
        _structs(inner),
        _structs(inner),
        _unions(inner),
        _tagged(inner),
    )


@st.composite
def _rows(draw: Any, inner: Strategy) -> Any:
    kinds = draw(st.lists(inner, min_size=1, max_size=3))
    made: list[Any] = []
    for side in (0, 1):
        cut = draw(st.sampled_from([0, 0, 0, 1]))
        own = [k[side] for k in kinds[: len(kinds) - cut]] or [int]
        if draw(st.booleans()):
            made.append(tuple[tuple(own)])
        else:
            made.append(_named_tuple(own))
    return tuple(made)


@st.composite
def _structs(draw: Any, inner: Strategy) -> Any:
    names = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=3))
    fields = {name: (draw(inner), draw(st.booleans())) for name in names}
    options = {
        "forbid_unknown_fields": draw(st.sampled_from([False, False, True])),
        "array_like": draw(st.sampled_from([False, False, False, True])),
        "tag": draw(st.sampled_from([None, None, "t", "u"])),
        "rename": draw(st.sampled_from([None, None, "upper"])),
    }
    made: list[Any] = []
    for side in (0, 1):
        own: list[Any] = []
        for name, (kinds, optional) in fields.items():
            edit = draw(st.sampled_from(["keep", "keep", "keep", "drop", "flip"])) if side else "keep"
            if edit == "drop":
                continue
            left_out = optional != (edit == "flip")
            own.append((name, kinds[side], None) if left_out else (name, kinds[side]))
        if side and draw(st.sampled_from([False, False, True])):
            own.append(("e", int, 0) if draw(st.booleans()) else ("e", int))
        if side and draw(st.sampled_from([False, False, False, True])):
            options = {**options, "forbid_unknown_fields": not options["forbid_unknown_fields"]}
        own.sort(key=len)
        made.append(_struct("S", own, **options))
    return tuple(made)


FAMILIES: list[list[Any]] = [
    [None],
    [bool],
    [int, Literal[1, 2], Literal[1, 2, 3]],
    [float],
    [str, datetime.date, datetime.datetime, uuid.UUID, Literal["a"], Literal["a", "b"], SCALARS[18]],
    [list[int], list[str], set[int]],
    [dict[str, int], dict[str, str]],
]
"""Kinds of JSON; a union has at most one type of each. msgspec crashes on some unions of bounded types and tuples."""


@st.composite
def _unions(draw: Any, inner: Strategy) -> Any:
    families = draw(st.lists(st.sampled_from(range(len(FAMILIES))), min_size=1, max_size=3, unique=True))
    kinds = [draw(_same_or_other(FAMILIES[i])) for i in families]
    if 6 not in families and draw(st.booleans()):
        kinds.append(
            draw(_structs(inner).filter(lambda p: not any(s.__struct_config__.array_like for s in p)))
        )
    made: list[Any] = []
    for side in (0, 1):
        own = [k[side] for k in kinds]
        if side and len(own) > 1 and draw(st.sampled_from([False, False, True])):
            own.pop(draw(st.integers(0, len(own) - 1)))
        made.append(_joined(own))
    return tuple(made)


def _joined(kinds: list[Any]) -> Any:
    return kinds[0] if len(kinds) == 1 else _keep(Union[tuple(kinds)])  # noqa: UP007 - made of values


@st.composite
def _tagged(draw: Any, inner: Strategy) -> Any:
    """Structs told apart by their tags; the second may know one less, or one more."""
    kinds = {tag: draw(inner) for tag in ("t", "u", "v")}
    first = draw(st.lists(st.sampled_from("tuv"), min_size=2, max_size=3, unique=True))
    second = (
        first
        if draw(st.booleans())
        else draw(st.lists(st.sampled_from("tuv"), min_size=1, max_size=3, unique=True))
    )
    made = [
        [_struct("T", [("x", kinds[tag][side])], tag=tag) for tag in tags]
        for side, tags in enumerate((first, second))
    ]
    return tuple(map(_joined, made))


def values(kind: Any) -> Strategy:
    """Values of a type as JSON of Python; members with a default may be left out."""
    return _values(inspect.type_info(kind))


def _values(info: Any) -> Strategy:  # noqa: C901 - one case a type
    match info:
        case inspect.Metadata():
            return _values(info.type)
        case inspect.AnyType():
            return st.sampled_from([None, 1, "x", [], {}])
        case inspect.NoneType():
            return st.none()
        case inspect.BoolType():
            return st.booleans()
        case inspect.IntType():
            step = info.multiple_of or 1
            return st.integers(-200, 200).map(lambda n: n * step).filter(lambda n: _inside(info, n))
        case inspect.FloatType():
            number = st.floats(-100, 100, allow_nan=False, width=32) | st.floats(0, 0.9)
            return number.filter(lambda n: _inside(info, n))
        case inspect.DecimalType():
            return st.decimals(-100, 100, places=2).map(str)
        case inspect.StrType(pattern=str()):
            return st.sampled_from(["a", "aa"])
        case inspect.StrType():
            return st.text("abz", min_size=info.min_length or 0, max_size=info.max_length or 12)
        case inspect.BytesType():
            return st.binary(min_size=info.min_length or 0, max_size=4).map(
                lambda b: base64.b64encode(b).decode()
            )
        case inspect.EnumType():
            return st.sampled_from([m.value for m in info.cls])
        case inspect.LiteralType():
            return st.sampled_from(list(info.values))
        case inspect.UnionType():
            return st.one_of([_values(t) for t in info.types])
        case inspect.TupleType():
            return st.tuples(*(_values(t) for t in info.item_types)).map(list)
        case inspect.DictType():
            return st.dictionaries(_values(info.key_type).map(str), _values(info.value_type), max_size=2)
        case inspect.SetType():
            n, m = info.min_length or 0, info.max_length or 3
            possible = 2 if isinstance(info.item_type, inspect.BoolType | inspect.LiteralType) else 99
            if n > possible:
                return st.nothing()
            return st.lists(_values(info.item_type), min_size=n, max_size=min(m, possible), unique=True)
        case inspect.ListType():
            return st.lists(
                _values(info.item_type), min_size=info.min_length or 0, max_size=info.max_length or 3
            )
        case inspect.NamedTupleType():
            return st.tuples(*(_values(f.type) for f in info.fields)).map(list)
        case inspect.StructType():
            return _struct_values(info)
        case _:
            return st.sampled_from(
                _TEXTS[type(info)] if not isinstance(info, inspect.DateTimeType) else _times(info)
            )


def _struct_values(info: inspect.StructType) -> Strategy:
    if info.array_like:
        head = [] if info.tag is None else [st.just(info.tag)]
        most = len(head) + len(info.fields)
        least = len(head) + sum(f.required for f in info.fields)
        whole = st.tuples(*head, *(_values(f.type) for f in info.fields)).map(list)
        return st.tuples(whole, st.integers(least, most)).map(lambda p: p[0][: p[1]])
    required = {f.encode_name: _values(f.type) for f in info.fields if f.required}
    optional = {f.encode_name: _values(f.type) for f in info.fields if not f.required}
    tag = {} if info.tag is None else {info.tag_field: st.just(info.tag)}
    return st.fixed_dictionaries({**tag, **required}, optional=optional)


def _inside(info: Any, n: float) -> bool:
    return (
        (info.ge is None or n >= info.ge)
        and (info.gt is None or n > info.gt)
        and (info.le is None or n <= info.le)
        and (info.lt is None or n < info.lt)
    )


_TEXTS: dict[type, list[str]] = {
    inspect.DateType: ["2026-01-31", "2026-02-28", "2024-02-29", "1999-12-31"],
    inspect.TimeType: ["12:00:00"],
    inspect.TimeDeltaType: ["P1D", "PT5S"],
    inspect.UUIDType: ["0198f0a0-0000-7000-8000-000000000001"],
}


def _times(info: inspect.DateTimeType) -> list[str]:
    aware, naive = ["2026-01-31T12:00:00Z", "2026-01-31T12:00:00+02:00"], ["2026-01-31T12:00:00"]
    return {None: aware + naive, True: aware, False: naive}[info.tz]
