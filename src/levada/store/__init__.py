"""Where Levada keeps what must not be lost: SQLite or PostgreSQL behind one protocol."""

from levada.store.clock import Clock, SteadyClock, VirtualClock
from levada.store.errors import StoreError, StoreUnknown
from levada.store.opening import open_shared, open_store
from levada.store.protocol import Outcome, Row, Statement, Store, Unit, Value

__all__ = [
    "Clock",
    "Outcome",
    "Row",
    "Statement",
    "SteadyClock",
    "Store",
    "StoreError",
    "StoreUnknown",
    "Unit",
    "Value",
    "VirtualClock",
    "open_shared",
    "open_store",
]
