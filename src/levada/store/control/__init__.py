"""Small repositories over a store: answers by key, audit, facts, call records, plans, access, keys."""

from levada.store.control.access import Access, AccessRow, AccessState, Key, Keys, Plan, Plans
from levada.store.control.audit import Audit, AuditBroken, AuditRow
from levada.store.control.calls import CallCounts, Calls
from levada.store.control.facts import Fact, Facts
from levada.store.control.idempotency import Idempotency, Taken

__all__ = [
    "Access",
    "AccessRow",
    "AccessState",
    "Audit",
    "AuditBroken",
    "AuditRow",
    "CallCounts",
    "Calls",
    "Fact",
    "Facts",
    "Idempotency",
    "Key",
    "Keys",
    "Plan",
    "Plans",
    "Taken",
]
