"""JSON and YAML documents, and the documents that they refer to, made into one."""

from __future__ import annotations

import os.path
import re
from pathlib import PurePath
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

import msgspec

from levada.connect.adopt._fetch import Place, shown
from levada.connect.adopt.errors import NotAdopted
from levada.network._yaml import YamlError, read_yaml

__all__ = ["bundled", "decoded"]

_ELSEWHERE = "x-levada-elsewhere"
_DEEPEST = 500


def decoded(place: Place, where: str) -> dict[str, Any]:
    """A document of a description.

    Raises:
        NotFetched: It cannot be read.
        NotAdopted: It is neither JSON nor YAML, or no object.
    """
    text = place.load(where)
    try:
        found: Any = msgspec.json.decode(text.lstrip(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = _yaml(place, where, text)
    if not isinstance(found, dict):
        raise NotAdopted(
            place=shown(where), reason="it is no JSON or YAML object", mend="Check that it is a description"
        )
    return found


def _yaml(place: Place, where: str, text: bytes) -> Any:
    try:
        return next(iter(read_yaml(text.decode("utf-8-sig"))), None)
    except (YamlError, UnicodeDecodeError) as error:
        told = place.shown if where == place.root else shown(where)
        raise NotAdopted(
            place=told, reason=f"it is neither JSON nor YAML: {error}", mend="Check that it is a description"
        ) from None


def bundled(place: Place, document: dict[str, Any]) -> dict[str, Any]:
    """The document with what it refers to elsewhere within it, and all references leading into it.

    Raises:
        NotFetched: A document that it refers to cannot be read, or may not be.
    """
    return _Bundle(place, document).whole


class _Bundle:
    def __init__(self, place: Place, document: dict[str, Any]) -> None:
        self._place = place
        self._names: dict[str, str] = {place.root: ""}
        self._elsewhere: dict[str, Any] = {}
        self.whole: dict[str, Any] = self._walked(document, place.root, 0)
        self.whole[_ELSEWHERE] = self._elsewhere

    def _walked(self, value: Any, base: str, depth: int) -> Any:
        if depth > _DEEPEST:
            raise NotAdopted(
                place=self._place.shown,
                reason=f"it is nested deeper than {_DEEPEST} levels",
                mend="Give another",
            )
        if isinstance(value, list):
            return [self._walked(v, base, depth + 1) for v in value]
        if not isinstance(value, dict):
            return value
        made = {str(k): self._walked(v, base, depth + 1) for k, v in value.items()}
        if isinstance(ref := made.get("$ref"), str):
            made["$ref"] = self._reference(ref, base)
        return made

    def _reference(self, ref: str, base: str) -> str:
        target, fragment = urldefrag(ref)
        where = self._absolute(target, base) if target else base
        if where not in self._names:
            place = base_name = re.sub(r"\W", "_", PurePath(where).stem) or "document"
            while place in self._elsewhere:
                place = f"{base_name}{len(self._names)}"
            self._names[where] = f"/{_ELSEWHERE}/{place}"
            self._elsewhere[place] = {}
            self._elsewhere[place] = self._walked(decoded(self._place, where), where, 0)
        return f"#{self._names[where]}{fragment}" if fragment else f"#{self._names[where]}"

    def _absolute(self, target: str, base: str) -> str:
        if base.startswith(("http://", "https://")) or target.startswith(("http://", "https://")):
            return urljoin(base, target)
        return os.path.normpath(os.path.join(os.path.dirname(base), unquote(target)))  # noqa: PTH118, PTH120 - may be no file
