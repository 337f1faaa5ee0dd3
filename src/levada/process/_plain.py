"""A run that knows nothing of persons: nothing is closed."""

from __future__ import annotations

from collections.abc import Iterable

from levada.process._steps import Step

__all__ = ["Plain"]


class Plain:
    """Keeps :class:`levada.process._protocol.Seal` by doing nothing."""

    private = False

    async def input(self, data: bytes) -> bytes:
        """As it is."""
        return data

    async def event(self, type_: str, data: bytes) -> bytes:  # noqa: ARG002 - the shape of Seal
        """As it is."""
        return data

    async def open(self, data: bytes) -> bytes:
        """As it is."""
        return data

    def close(self, data: bytes) -> bytes:
        """As it is."""
        return data

    async def prepare(self, steps: Iterable[Step]) -> None:
        """Nothing to learn."""

    async def learn(self, operation: str, value: bytes) -> None:
        """Nothing to learn."""

    def said(self, text: str) -> str:
        """As it is."""
        return text
