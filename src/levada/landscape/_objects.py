"""Are two words for what a flow brings one thing? A list says ``orders``, a log ``/api/orders/{}``, a trace ``public.orders``.

Names of one vocabulary that differ are two things. Across vocabularies nothing is said but where a word agrees: who
asks whether something is still used must not take a difference of words for a difference of things.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from levada.network.names import normal

__all__ = ["is_another"]

_METHOD = re.compile(r"^[A-Z]+\s+(?=/)")


def is_another(seen: str | None, planned: str | None, others: Collection[str] = ()) -> bool | None:
    """Whether ``seen`` is certainly another object than ``planned``; None if the words do not tell.

    Args:
        seen: What was observed; None if the observer does not say.
        planned: What the old flow is known to bring; None if that is unknown.
        others: What other flows between the same two systems bring.
    """
    if seen is None or planned is None or seen.casefold() == planned.casefold():
        return False
    if seen.casefold() in {o.casefold() for o in others}:
        return True
    one, two = _path(seen), _path(planned)
    if one is not None and two is not None:
        if one[: len(two)] == two:
            return False
        return None if _overlap(one, two) else True
    if one is None and two is None:
        return _names_differ(seen, planned)
    words = one if one is not None else two
    name = planned if one is not None else seen
    if _speaks_of(words or (), name):
        return False
    if one is not None and any(_speaks_of(one, o) for o in others if _path(o) is None):
        return True
    return None


def _path(text: str) -> tuple[str, ...] | None:
    """The words of a path without what varies; None of what is no path."""
    bare = _METHOD.sub("", text)
    if not bare.startswith("/"):
        return None
    return tuple(p.casefold() for p in bare.split("/") if p and not p.startswith(("{", ":")) and p != "*")


def _overlap(one: Sequence[str], two: Sequence[str]) -> bool:
    """Whether one lies within the other, or goes on where it ends: a proxy takes a prefix away, or adds one."""
    short, long = sorted((one, two), key=len)
    if any(long[n : n + len(short)] == short for n in range(len(long) - len(short) + 1)):
        return True
    return any(a[-n:] == b[:n] for a, b in ((one, two), (two, one)) for n in range(1, len(short)))


def _names_differ(one: str, two: str) -> bool | None:
    a, b = (_stem(re.split(r"[./:]", t)[-1]) for t in (one, two))
    if a == b:
        return False
    return None if a in b or b in a else True


def _speaks_of(words: Sequence[str], name: str) -> bool:
    wanted = _stem(re.split(r"[./:]", name)[-1])
    return any(_stem(w) == wanted for w in words)


def _stem(text: str) -> str:
    return normal(text).removesuffix("s")
