"""The baseline: what was published, in a file that lies beside the code in Git.

It keeps every form that was ever published within a major, since what was written then
may still be read: a change is compared with all of them, not with the last alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from levada.contract.api import Contract
from levada.contract.compatibility.published import (
    PublishedContract,
    PublishedEvent,
    digest,
    publish_contract,
    publish_event,
)
from levada.contract.compatibility.rules import Finding, compare_contracts, compare_events
from levada.contract.errors import ModelError
from levada.contract.event import EventType

__all__ = ["FILE", "Baseline", "BaselineUnusable", "baseline_of", "diff", "extended"]

FILE = "levada.contracts.json"
FORMAT = 1

P = TypeVar("P", PublishedContract, PublishedEvent)


class BaselineUnusable(ModelError, code="LV1121"):
    """{place}: {reason} {mend}

    The file of what was published is missing or is none.
    """


class Baseline(Struct, frozen=True):
    """Contracts by id (``sales/Customers/v2``) and events by topic (``sales.OrderPlaced.v1``), each oldest first."""

    contracts: Mapping[str, tuple[PublishedContract, ...]] = field(
        default_factory=dict[str, tuple[PublishedContract, ...]]
    )
    events: Mapping[str, tuple[PublishedEvent, ...]] = field(
        default_factory=dict[str, tuple[PublishedEvent, ...]]
    )
    format: int = FORMAT

    @classmethod
    def read(cls, path: Path) -> Baseline:
        """The baseline of a file.

        Raises:
            BaselineUnusable: It cannot be read, is something else, or was written by a newer Levada.
        """
        try:
            found = msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            raise BaselineUnusable(
                place=path, reason="there is no such file", mend="Make it: levada contract diff --write"
            ) from None
        except (OSError, msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
            raise BaselineUnusable(
                place=path, reason=f"it cannot be read: {error}", mend="Take it from Git again"
            ) from None
        if found.format > FORMAT:
            raise BaselineUnusable(
                place=path,
                reason=f"its format {found.format} is newer than this Levada knows",
                mend="Upgrade Levada",
            )
        return found

    def text(self) -> bytes:
        """The file's content: sorted, so that Git shows what changed."""
        return msgspec.json.format(msgspec.json.encode(self, order="sorted"), indent=1) + b"\n"


def baseline_of(contracts: Iterable[Contract], events: Iterable[EventType]) -> Baseline:
    """What these promise now, without a past."""
    return Baseline(
        {c.id: (publish_contract(c),) for c in contracts}, {e.topic: (publish_event(e),) for e in events}
    )


def diff(old: Baseline, new: Baseline) -> list[Finding]:
    """What has changed since, compared with every form that was published; what breaks first."""
    found: list[Finding] = []
    for name, was in old.contracts.items():
        if name not in new.contracts:
            found.append(_gone(name, "the contract"))
            continue
        now = new.contracts[name][-1]
        found += (f for each in was for f in compare_contracts(each, now, name))
        found += _minor(name, was[-1], now)
    for topic, events in old.events.items():
        if topic not in new.events:
            found.append(_gone(topic, "the event"))
            continue
        event = new.events[topic][-1]
        found += (f for each in events for f in compare_events(each, event, topic))
        found += _minor(topic, events[-1], event)
    return sorted(dict.fromkeys(found), key=lambda f: f.level)


def extended(old: Baseline, new: Baseline) -> Baseline:
    """The old baseline with what is published now added to it; what is gone stays in it."""
    return Baseline(_added(old.contracts, new.contracts), _added(old.events, new.events))


def _added(old: Mapping[str, tuple[P, ...]], new: Mapping[str, tuple[P, ...]]) -> dict[str, tuple[P, ...]]:
    made = dict(old)
    for name, (*_, now) in new.items():
        was = made.get(name, ())
        if was and digest(was[-1]) == digest(now):
            made[name] = (*was[:-1], now)
        else:
            made[name] = (*was, now)
    return made


def _gone(name: str, what: str) -> Finding:
    return Finding(
        "breaks",
        name,
        f"{what} was published and is gone.",
        "Keep it beside its next major until its sunset; then take it out of the baseline file.",
    )


def _minor(
    name: str, was: PublishedContract | PublishedEvent, now: PublishedContract | PublishedEvent
) -> list[Finding]:
    if digest(was) == digest(now) or was.version != now.version:
        return []
    major, _, minor = now.version.partition(".")
    mend = f'Raise the minor: version="{major}.{int(minor or 0) + 1}".'
    return [Finding("note", name, f"it has changed and is still {now.version}.", mend)]
