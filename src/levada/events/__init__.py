"""Events: facts, published once, for any number of consumers.

From an outbox (:mod:`~levada.events.outbox`) a relay brings them to the log, and a
dispatcher from there to the sinks of subscriptions.
"""

from levada.events.admin import Admin, Finding, Parked, ParkedUnknown, Seen, Status, Superseded, WhyMissing
from levada.events.delivery import Delivery, Park, Retry, Sink
from levada.events.dispatcher import Dispatcher, LogGap, Reader, ReaderFenced
from levada.events.envelope import Envelope, EnvelopeMalformed
from levada.events.filter import Filter, FilterFailed, FilterMalformed, Miss
from levada.events.housekeeping import Tidied, tidy
from levada.events.log import CHANNEL, Log, Record, RecordUnreadable, Topic, TopicUnknown
from levada.events.publish import Held, HeldClosed, event_id
from levada.events.relay import Relay, RelayFenced, RelayRewound
from levada.events.subscription import Position, Subscription, Subscriptions, SubscriptionUnknown

__all__ = [
    "CHANNEL",
    "Admin",
    "Delivery",
    "Dispatcher",
    "Envelope",
    "EnvelopeMalformed",
    "Filter",
    "FilterFailed",
    "FilterMalformed",
    "Finding",
    "Held",
    "HeldClosed",
    "Log",
    "LogGap",
    "Miss",
    "Park",
    "Parked",
    "ParkedUnknown",
    "Position",
    "Reader",
    "ReaderFenced",
    "Record",
    "RecordUnreadable",
    "Relay",
    "RelayFenced",
    "RelayRewound",
    "Retry",
    "Seen",
    "Sink",
    "Status",
    "Subscription",
    "SubscriptionUnknown",
    "Subscriptions",
    "Superseded",
    "Tidied",
    "Topic",
    "TopicUnknown",
    "WhyMissing",
    "event_id",
    "tidy",
]
