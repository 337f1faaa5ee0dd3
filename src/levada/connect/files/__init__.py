"""Files left in folders, here or behind SFTP: ``Drop``."""

from __future__ import annotations

from levada.connect.files._claim import Taken
from levada.connect.files._drop import Drop, from_settings
from levada.connect.files._settings import DropSettings
from levada.connect.files.errors import (
    AlreadyThere,
    ClaimLost,
    DeliveryConflict,
    FileRefused,
    Gone,
    HalfWritten,
)

__all__ = [
    "AlreadyThere",
    "ClaimLost",
    "DeliveryConflict",
    "Drop",
    "DropSettings",
    "FileRefused",
    "Gone",
    "HalfWritten",
    "Taken",
    "from_settings",
]
