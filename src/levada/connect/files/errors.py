"""What can be wrong with a file."""

from __future__ import annotations

from levada._errors import LevadaError
from levada.connect.errors import RemoteFault

__all__ = ["AlreadyThere", "ClaimLost", "DeliveryConflict", "FileRefused", "Gone", "HalfWritten"]


class FileRefused(RemoteFault, code="LV1620"):
    """The drop {resource} refused: [{fault}] {reason}"""


class Gone(FileRefused, code="LV1621"):
    """The drop {resource} has no {reason}"""


class AlreadyThere(FileRefused, code="LV1622"):
    """The drop {resource} has already {reason}"""


class DeliveryConflict(LevadaError, code="LV1623"):
    """The drop {resource} was given a file {file} with other content before. A name stands for one content: give the new one another name."""


class HalfWritten(LevadaError, code="LV1624"):
    """The file {file} of {resource} grew after it was taken: its writer had not finished. It was put back; set `ready` or `settle` to suit its writer."""


class ClaimLost(LevadaError, code="LV1625"):
    """The file {file} of {resource} was given to another worker: this one held it for longer than `lease` without renewing it."""
