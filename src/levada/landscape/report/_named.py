"""Ids in sentences, as what people call them: ``system:erp`` is the System API of ERP."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

__all__ = ["named_in"]

_ID = re.compile(r"(?<![\w:./-])(system|process|experience|topic):([\w./-]*\w)")
_LAYERS = {
    "system": "System API of ",
    "process": "Process API ",
    "experience": "Experience API ",
    "topic": "topic ",
}


def named_in(titles: Mapping[str, str]) -> Callable[[str], str]:
    """Puts the title in place of each id of an API or topic in a text."""

    def title(found: re.Match[str]) -> str:
        if (known := titles.get(found[0])) is not None:
            return f"the {known}"
        return f"a {_LAYERS[found[1]]}{found[2]}"  # one that was thought of, and is not built

    return lambda text: _ID.sub(title, text)
