"""What has to be tidied from time to time: the log by its retention, inboxes behind it."""

from __future__ import annotations

from msgspec import Struct

from levada.events.log import Log
from levada.events.subscription import Subscriptions

__all__ = ["Tidied", "tidy"]


class Tidied(Struct, frozen=True):
    """What was deleted: ``events`` of the log; ``inboxes``: subscriptions whose inbox was cleaned."""

    events: int
    inboxes: tuple[str, ...]


async def tidy(log: Log, retention: int | None = None) -> Tidied:
    """Delete events past their retention, and from inboxes what can no longer come a second time.

    An inbox is kept as long as the longest retention of the subscription's topics; for
    good if one of these keeps its events for good. ``retention`` (microseconds) is that of
    topics which have none of their own. May run in several processes at
    once, and be killed at any time.
    """
    topics = {
        topic.name: topic.retention if topic.retention is not None else retention
        for topic in await log.topics()
    }
    events = 0
    for name, keep in topics.items():
        if keep is not None:
            events += await log.trim(name, keep)
    subscriptions = Subscriptions(log)
    cleaned: list[str] = []
    for sub in await subscriptions.list():
        kept = [topics[name] for name in sub.topics if name in topics]
        bounded = [keep for keep in kept if keep is not None]
        if bounded and len(bounded) == len(kept):
            await subscriptions.clean_inbox(sub.name, max(bounded))
            cleaned.append(sub.name)
    return Tidied(events, tuple(cleaned))
