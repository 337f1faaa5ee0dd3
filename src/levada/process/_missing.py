"""What to do about code that open runs need and that is not here."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["mend_of"]


def mend_of(needed: str, here: Collection[str]) -> str:
    """What makes a handler's version available again, by what is here of it; both as ``sales/Orders.v1/fulfil/1``."""
    stem, _, version = needed.rpartition("/")
    process, _, handler = stem.rpartition("/")
    if any(code.startswith(f"{stem}/") for code in here):
        return f"keep the former code as @{handler}.version({version})"
    if any(code.startswith(f"{process}/") for code in here):
        return (
            f"{process} has no handler {handler} any more: one that was renamed is another handler, which "
            f"cannot go on with these runs; call it {handler} again, or deploy the former code until they have ended"
        )
    return f"nothing here keeps {process}: deploy it, too, until they have ended"
