"""YAML with ``{{ placeholders }}`` (Helm, Handlebars): read for what it says without their values."""

from __future__ import annotations

import re
from typing import Any

from levada.landscape.importers.protocol import Malformed, SourceFile
from levada.network._yaml import YamlError, read_yaml

__all__ = ["documents_of"]

_ONLY = re.compile(r"^\s*(?:- )?\{\{.*\}\}\s*$")
_HOLE = re.compile(r"\{\{[^{}]*\}\}")


def documents_of(file: SourceFile) -> list[Any]:
    """Its documents; placeholders become ``TEMPLATE``, control lines nothing.

    Lines keep their numbers.
    """
    if "{{" not in file.text:
        return file.documents
    kept: list[str] = []
    for line in file.text.split("\n"):
        if _ONLY.match(line):
            kept.append("")
        else:
            kept.append(_HOLE.sub("TEMPLATE", line))
    try:
        return list(read_yaml("\n".join(kept)))
    except YamlError as exc:
        raise Malformed(f"a template that cannot be read without its values: {exc}", exc.line) from exc
