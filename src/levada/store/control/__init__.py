"""Small repositories over a store: answers by key, audit, facts, call records."""

from levada.store.control.audit import Audit, AuditBroken, AuditRow
from levada.store.control.facts import Fact, Facts
from levada.store.control.idempotency import Idempotency, Taken

__all__ = ["Audit", "AuditBroken", "AuditRow", "Fact", "Facts", "Idempotency", "Taken"]
