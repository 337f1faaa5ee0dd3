"""The extras of the package, as its installed description tells them."""

from __future__ import annotations

import re
from importlib import metadata

__all__ = ["extras"]

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*extra == ['\"]([\w-]+)['\"]")


def extras() -> dict[str, list[str]]:
    """The packages of each extra, but for ``all`` and ``gateway`` (an Envoy is looked for in other ways), by name."""
    found: dict[str, list[str]] = {}
    for line in metadata.requires("levada") or ():
        if (match := _REQUIREMENT.match(line)) and match[2] not in ("all", "gateway"):
            found.setdefault(match[2], []).append(match[1])
    return dict(sorted(found.items()))
