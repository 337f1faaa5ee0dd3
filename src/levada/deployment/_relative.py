"""Relative paths in ``levada.toml`` begin where the file lies, wherever the command is run."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

__all__ = ["placed"]

Table: TypeAlias = "Mapping[str, Any]"

_REFERENCE = re.compile(r"(?P<head>(?:(?:bearer|api-key):)?file:)(?P<path>[^/~].*)", re.DOTALL)
_SQLITE = re.compile(r"(?P<head>sqlite(?:\+\w+)?:(?:///)?)(?P<path>[^/:?][^?]*)(?P<query>\?.*)?")
"""Of a database beside the file; not one in memory."""
_REFERENCES = (("identity", "secret"), ("gateway", "master"), ("store", "url"))
"""Those of ``[personal]`` are joined where they are read, as the store's own file is."""


def placed(data: Table, folder: Path) -> dict[str, Any]:
    """What the file says, with its relative paths joined to its folder; what is no text or table stays as it is."""
    made = dict(data)
    if folder == Path():
        return made
    for section, key in _REFERENCES:
        table = _table(made.get(section))
        if key in table:
            made[section] = {**table, key: _reference(table[key], folder)}
    for section, place in (("resources", _resource), ("bind", _binding)):
        if table := _table(made.get(section)):
            made[section] = {name: place(value, folder) for name, value in table.items()}
    return made


def _resource(settings: Any, folder: Path) -> Any:
    if not isinstance(settings, Mapping):
        return settings
    table = {key: _reference(value, folder) for key, value in _table(settings).items()}
    if isinstance(url := table.get("url"), str):
        table["url"] = _url(url, folder, soap=table.get("kind") == "soap")
    hosts = table.get("known_hosts")
    if isinstance(hosts, str) and hosts != "off":
        table["known_hosts"] = _joined(hosts, folder)
    return table


def _binding(value: Any, folder: Path) -> Any:
    if isinstance(value, str):
        return _socket(value, folder)
    table = _table(value)
    return {k: _socket(v, folder) if k == "url" else _reference(v, folder) for k, v in table.items()} or value


def _url(url: str, folder: Path, *, soap: bool) -> str:
    """A URL that is a path; one that a variable holds, too, since there is no secret in it."""
    kind, _, name = url.partition(":")
    given = os.environ.get(name, "") if kind == "env" else url
    if found := _SQLITE.fullmatch(given):
        return f"{found['head']}{_joined(found['path'], folder)}{found['query'] or ''}"
    if given.startswith("folder:"):
        return f"folder:{_joined(given.removeprefix('folder:'), folder)}"
    if soap and given and "://" not in given and kind != "file":
        return _joined(given, folder)
    return url


def _socket(value: Any, folder: Path) -> Any:
    if isinstance(value, str) and value.startswith("unix:"):
        return f"unix:{_joined(value.removeprefix('unix:'), folder)}"
    return value


def _reference(value: Any, folder: Path) -> Any:
    if isinstance(value, str) and (found := _REFERENCE.fullmatch(value)):
        return f"{found['head']}{_joined(found['path'], folder)}"
    return value


def _joined(path: str, folder: Path) -> str:
    return path if path.startswith("~") else os.fspath(folder / path)


def _table(value: Any) -> Table:
    return cast("Table", value) if isinstance(value, Mapping) else {}
