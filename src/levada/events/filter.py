"""Which events a subscription takes: event patterns as EventBridge has them, and why one did not match.

A pattern is an object of the event's attributes by name (``type``, ``source``,
``subject``, ``partitionkey``, …) and ``data``; each leaf is a list of values or
operators, one of which has to hold::

    {"type": ["sales.OrderPlaced"], "data": {"total": [{"numeric": [">", 100]}]}}

Operators: prefix, suffix, equals-ignore-case, anything-but, numeric, exists, cidr,
wildcard; ``$or`` takes a list of patterns. Where the event has a list, one element has
to match. Numbers compare by value, and a text that is a number counts as one for
``numeric`` (decimals are written so).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, cast

import msgspec
from msgspec import Struct

from levada._errors import LevadaError
from levada.events._matchers import MISSING, FilterMalformed, Test, matcher
from levada.events.envelope import Envelope

__all__ = ["Filter", "FilterFailed", "FilterMalformed", "Miss"]

_decode = msgspec.json.Decoder(float_hook=Decimal).decode


class FilterFailed(LevadaError, code="LV1409"):
    """Whether the pattern matches event {event_id} cannot be told: its data is no JSON ({reason})."""


class Miss(Struct, frozen=True):
    """One reason why an event did not match: at ``path``, ``wanted`` was asked and ``found`` was there."""

    path: str
    wanted: Any
    found: Any

    def __str__(self) -> str:
        found = "absent" if self.found == "(absent)" else f"{_json(self.found)}"
        return f"{self.path} is {found}; wanted one of {_json(self.wanted)}"


class _Leaf:
    """A field's list: any of its tests on any of the values there."""

    def __init__(self, path: str, wanted: Sequence[Any]) -> None:
        if not wanted:
            raise FilterMalformed(path=path, reason="the list is empty and would match nothing")
        self.path, self.wanted = path, wanted
        self.tests: list[Test] = [matcher(path, one) for one in wanted]

    def match(self, value: Any) -> bool:
        values: list[Any] = (value or [MISSING]) if isinstance(value, list) else [value]
        return any(test(one) for one in values for test in self.tests)

    def misses(self, value: Any) -> Iterator[Miss]:
        if not self.match(value):
            yield Miss(self.path, self.wanted, "(absent)" if value is MISSING else value)


class _Object:
    """An object of the pattern: all of its fields, and one of each ``$or``."""

    def __init__(self, path: str, pattern: Mapping[str, Any]) -> None:
        if not pattern:
            raise FilterMalformed(path=path or "(top)", reason="the object is empty; leave the field out")
        self.path = path
        self.fields: list[tuple[str, _Leaf | _Object]] = []
        self.choices: list[_Object] = []
        for name, inner in pattern.items():
            here = f"{path}.{name}" if path else name
            if name == "$or":
                self.choices = [_Object(path, one) for one in _alternatives(here, inner)]
            elif isinstance(inner, dict):
                self.fields.append((name, _Object(here, cast("dict[str, Any]", inner))))
            elif isinstance(inner, list):
                self.fields.append((name, _Leaf(here, cast("list[Any]", inner))))
            else:
                raise FilterMalformed(
                    path=here, reason=f"{_json(inner)} has to stand in a list: [{_json(inner)}]"
                )

    def match(self, value: Any) -> bool:
        if isinstance(value, list):
            return any(self.match(one) for one in cast("list[Any]", value))
        inside: Mapping[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        return all(test.match(inside.get(name, MISSING)) for name, test in self.fields) and (
            not self.choices or any(choice.match(inside) for choice in self.choices)
        )

    def misses(self, value: Any) -> Iterator[Miss]:
        if self.match(value):
            return
        if isinstance(value, list):
            # No element matches as a whole: show the one that comes nearest.
            each = [list(self.misses(one)) for one in cast("list[Any]", value)]
            yield from min(each, key=len, default=[Miss(self.path, [], [])])
            return
        inside: Mapping[str, Any] = cast("dict[str, Any]", value) if isinstance(value, dict) else {}
        for name, test in self.fields:
            yield from test.misses(inside.get(name, MISSING))
        if self.choices and not any(choice.match(inside) for choice in self.choices):
            for choice in self.choices:
                yield from choice.misses(inside)


class Filter:
    """A pattern, checked and ready. Immutable; may be used concurrently."""

    def __init__(self, pattern: Mapping[str, Any]) -> None:
        """Check a pattern.

        Raises:
            FilterMalformed: With the place and the mend.
        """
        self.pattern = pattern
        self._root = _Object("", pattern)
        self._needs_data = _asks(self._root, "data")

    @classmethod
    def from_json(cls, text: str | bytes) -> Filter:
        """The filter of a pattern's JSON; raises FilterMalformed."""
        try:
            found = msgspec.json.decode(text, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise FilterMalformed(path="(top)", reason=f"no JSON object: {error}") from None
        return cls(found)

    def to_json(self) -> str:
        """The pattern as JSON."""
        return _json(self.pattern)

    def match(self, event: Envelope) -> bool:
        """Whether the event is taken.

        Raises:
            FilterFailed: The pattern asks for data and the event's is no JSON.
        """
        return self._root.match(self._document(event))

    def explain(self, event: Envelope) -> Sequence[Miss]:
        """Why the event is not taken: empty if it is. Raises FilterFailed as :meth:`match` does."""
        return list(self._root.misses(self._document(event)))

    def _document(self, event: Envelope) -> dict[str, Any]:
        document: dict[str, Any] = dict(event.attributes())
        if self._needs_data:
            try:
                document["data"] = _decode(event.data) if event.data else None
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise FilterFailed(event_id=event.id, reason=str(error)) from None
        return document


def _asks(root: _Object, field: str) -> bool:
    return any(name == field for name, _ in root.fields) or any(_asks(one, field) for one in root.choices)


def _alternatives(path: str, inner: Any) -> Sequence[Mapping[str, Any]]:
    found: list[Any] = cast("list[Any]", inner) if isinstance(inner, list) else []
    if not found or not all(isinstance(one, dict) for one in found):
        raise FilterMalformed(path=path, reason="$or takes a list of patterns")
    return found


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
