"""Databases of systems: ``Database``."""

from __future__ import annotations

from levada.connect.sql._database import Database, from_settings
from levada.connect.sql._session import Session, Transaction
from levada.connect.sql._settings import SqlSettings
from levada.connect.sql.errors import Conflict, Duplicate, SqlRefused, StoreFileRefused

__all__ = [
    "Conflict",
    "Database",
    "Duplicate",
    "Session",
    "SqlRefused",
    "SqlSettings",
    "StoreFileRefused",
    "Transaction",
    "from_settings",
]
