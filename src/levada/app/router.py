"""Finds the endpoint of a method and a path: exact paths first, then one trailing parameter, then a trie."""

from __future__ import annotations

from typing import Generic, TypeVar
from urllib.parse import unquote

__all__ = ["Router"]

T = TypeVar("T")


class _Node(Generic[T]):
    __slots__ = ("children", "ends", "parameter")

    def __init__(self) -> None:
        self.children: dict[str, _Node[T]] = {}
        self.parameter: _Node[T] | None = None
        self.ends: dict[str, T] = {}


class Router(Generic[T]):
    """Routes by method and path template; a literal segment wins over a parameter."""

    def __init__(self) -> None:
        self._exact: dict[str, T] = {}
        self._trailing: dict[str, T] = {}
        self._root: _Node[T] = _Node()

    def add(self, method: str, template: str, target: T) -> None:
        """Add a route; ``{name}`` segments are parameters, taken in the order they stand."""
        segments = template.split("/")[1:]
        node = self._root
        for segment in segments:
            if segment.startswith("{"):
                node.parameter = node = node.parameter or _Node()
            else:
                node = node.children.setdefault(segment, _Node())
        node.ends[method] = target
        parameters = [s for s in segments if s.startswith("{")]
        if not parameters:
            self._exact[method + template] = target
        elif len(parameters) == 1 and segments[-1].startswith("{"):
            self._trailing[method + template.rpartition("/")[0]] = target

    def find(self, method: str, path: str, raw: bytes | None) -> tuple[T, tuple[str, ...]] | None:
        """The route and its parameters, decoded; None if there is none.

        ``raw`` is the path as it came: a slash that is escaped in it belongs to its segment.
        """
        if raw is not None and b"%" in raw:
            return self._walk(
                method,
                [unquote(s, errors="strict") for s in raw.decode("ascii").split("?")[0].split("/")[1:]],
            )
        found = self._exact.get(method + path)
        if found is not None:
            return found, ()
        return self._walk(method, path.split("/")[1:])

    def find_quick(self, method: str, path: str) -> tuple[T, tuple[str, ...]] | None:
        """The quick way: exact paths, and templates that end in their only parameter; None: ask :meth:`find`."""
        exact = self._exact.get(method + path)
        if exact is not None:
            return exact, ()
        head, _, tail = path.rpartition("/")
        found = self._trailing.get(method + head)
        return None if found is None or not tail else (found, (tail,))

    def methods(self, path: str) -> list[str]:
        """The methods that a path takes; empty if the path is not served."""
        ends = self._end(self._root, path.split("/")[1:], 0, None, [])
        return sorted(ends[0].ends) if ends else []

    def _walk(self, method: str, segments: list[str]) -> tuple[T, tuple[str, ...]] | None:
        found = self._end(self._root, segments, 0, method, [])
        return None if found is None else (found[0].ends[method], tuple(found[1]))

    def _end(
        self, node: _Node[T], segments: list[str], at: int, method: str | None, taken: list[str]
    ) -> tuple[_Node[T], list[str]] | None:
        if at == len(segments):
            ends = bool(node.ends) if method is None else method in node.ends
            return (node, taken) if ends else None
        segment = segments[at]
        child = node.children.get(segment)
        if child is not None and (found := self._end(child, segments, at + 1, method, taken)) is not None:
            return found
        if node.parameter is not None and segment:
            return self._end(node.parameter, segments, at + 1, method, [*taken, segment])
        return None
