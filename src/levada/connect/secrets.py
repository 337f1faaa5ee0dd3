"""Secrets by reference: ``env:NAME`` or ``file:path``, read when they are used.

A value is never kept longer than a call needs it, and shows in no repr, log or error.
"""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from levada._references import NothingBehind, is_reference, look_up
from levada.connect.errors import SecretMissing

__all__ = ["Secret", "has_password", "is_reference", "mask"]

# Passwords are written with characters that a URL does not allow in them, too: up to the last @ before a host.
_USERINFO = re.compile(
    r"(?P<head>[A-Za-z][A-Za-z0-9+.-]*:/{1,2}[^\s/?#:@\"'<>]*):(?!\d{1,5}[/?#])(?P<word>[^\s\"'<>]*?)"
    r"@(?=[\w.\-:%\[\]]*(?:[/?#\s\"'<>,;)]|$))"
)
_WORDS = re.compile(
    r"(?i)(?P<head>[?&;](?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key|sig)=)[^&\s#;]*"
)


class Secret:
    """A reference to a secret. :meth:`reveal` reads it anew each time, so that a rotated one is taken up.

    Args:
        reference: ``env:NAME``; ``file:path`` (line breaks at its end are left out); anything
            else is the value itself, for tests and for URLs without a secret in them.
    """

    __slots__ = ("_reference",)

    def __init__(self, reference: str) -> None:
        self._reference = reference

    @property
    def named(self) -> bool:
        """Whether this is a reference, rather than the value itself."""
        return is_reference(self._reference)

    def reveal(self) -> str:
        """The secret as it stands now. May be called from any thread.

        Raises:
            SecretMissing: The variable is not set, or the file cannot be read or is over 1 MiB.
        """
        if not self.named:
            return self._reference
        try:
            return look_up(self._reference)
        except NothingBehind as nothing:
            raise SecretMissing(reference=self._reference, reason=f"{nothing}.") from None

    def __repr__(self) -> str:
        return f"Secret({self._reference if self.named else '***'!r})"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._reference == other._reference

    def __hash__(self) -> int:
        return hash(self._reference)


def has_password(url: str) -> bool:
    """Whether a URL carries a password, as user information or as a parameter."""
    return mask(url) != url


def mask(text: str) -> str:
    """The text with the passwords of URLs in it replaced by ``***``."""
    text = _USERINFO.sub(lambda m: f"{m['head']}:***@", text)
    return _WORDS.sub(lambda m: f"{m['head']}***", text)


def without(text: str, *secrets: str) -> str:
    """``text`` with URL passwords masked and each of these values replaced, also inside a URL's password."""
    hidden: set[str] = set()
    for secret in secrets:
        hidden.add(secret)
        if "://" in secret:
            password = urlsplit(secret).password
            if password:
                hidden |= {password, unquote(password)}
    for value in sorted(hidden, key=len, reverse=True):
        if len(value) > 2:
            text = text.replace(value, "***")
    return mask(text)
