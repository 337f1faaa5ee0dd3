"""Whether a change of a contract or an event can be read by those who have the old one."""

from levada.contract.compatibility.baseline import (
    FILE,
    Baseline,
    BaselineUnusable,
    baseline_of,
    diff,
    extended,
)
from levada.contract.compatibility.published import (
    PublishedContract,
    PublishedEvent,
    digest,
    publish_contract,
    publish_event,
)
from levada.contract.compatibility.rules import Finding, breaks, compare_contracts, compare_events

__all__ = [
    "FILE",
    "Baseline",
    "BaselineUnusable",
    "Finding",
    "PublishedContract",
    "PublishedEvent",
    "baseline_of",
    "breaks",
    "compare_contracts",
    "compare_events",
    "diff",
    "digest",
    "extended",
    "publish_contract",
    "publish_event",
]
