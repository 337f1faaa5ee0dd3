"""HTTP Basic authentication, RFC 7617."""

from __future__ import annotations

from base64 import b64encode

__all__ = ["basic"]


def basic(user: str, password: str) -> str:
    """The value of ``Authorization``."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()
