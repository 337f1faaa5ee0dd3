"""What a live source of a map is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from levada.landscape.importers.protocol import Context, Item

__all__ = ["Live", "Tell", "Unreachable"]

Tell = Callable[[str], None]
"""Called with what is being read now, for the progress."""


class Unreachable(Exception):
    """A source does not answer at all; becomes a finding, never stops an import. Its text holds no secret."""


class Live(Protocol):
    """Asks something that runs, and changes nothing there.

    ``read`` is called once, after all files were read, from one thread. It may block, but every
    question has a deadline. What it yielded before it raises stands.
    """

    name: str
    """Stable, short, lower case; stands in the evidence as the importer."""
    source: str
    """Where it asks, as evidence and findings name it; without credentials."""

    def read(self, context: Context, tell: Tell, /) -> Iterable[Item]:
        """What it answers, each with :class:`Evidence` naming the source and the time.

        Raises:
            Unreachable: It does not answer, or not to this user.
        """
        ...
