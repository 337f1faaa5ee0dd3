"""A running Kafka cluster: its topics, who reads them, and who may read and write them."""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from msgspec import structs

from levada.landscape.importers._address import is_local
from levada.landscape.importers._kafka_names import group_alias, is_internal, principal_id, principal_name
from levada.landscape.importers.protocol import Context, Item
from levada.landscape.live._kafka_settings import KafkaSettings, KafkaSettingsError, kafka_settings
from levada.landscape.live.protocol import Tell, Unreachable
from levada.network.graph import Evidence, Finding, Node, Severity, Status
from levada.network.names import slug

if TYPE_CHECKING:
    from levada.landscape.live._kafka_admin import Group, Partition, Refused

__all__ = ["BROKER", "KafkaCluster", "KafkaSettings", "KafkaSettingsError", "clusters", "kafka_settings"]

BROKER = "kafka"
"""The id of the broker: what every importer calls it that meets a topic without naming a cluster."""
_SHOWN = 10


def clusters(settings: Sequence[KafkaSettings]) -> list[KafkaCluster]:
    """The clusters of one map: one alone is the broker that files mean, several are told apart by their first address."""
    if len(settings) == 1:
        return [KafkaCluster(settings[0])]
    return [KafkaCluster(s, broker=f"{BROKER}/{s.brokers[0]}") for s in settings]


class KafkaCluster:
    """Reads a cluster for a map. A group that has committed or holds partitions is seen to read; an ACL is a
    permission, not proof of use. Who writes is known from ACLs alone: Kafka keeps no record of producers.

    Args:
        settings: Where it is, and how to sign in: :func:`kafka_settings`.
        timeout: Seconds that the cluster has for each answer.
        broker: The id of its system; another than the default where a map has several clusters (:func:`clusters`).

    Raises:
        KafkaSettingsError: The settings are malformed.
        ExtraMissing: The extra ``kafka`` is not installed.
    """

    name = "kafka"

    def __init__(self, settings: KafkaSettings, *, timeout: float = 15.0, broker: str = BROKER) -> None:
        from levada.landscape.live._kafka_admin import Admin

        self.source = settings.address
        self._broker = broker
        self._settings = settings
        self._admin = Admin(settings, timeout)
        self._seen = ""
        self._place = settings.address

    def read(self, context: Context, tell: Tell) -> Iterable[Item]:
        """The broker, the groups with the topics they read, permissions, and findings of what is not known."""
        from levada.landscape.live._kafka_admin import Refused

        tell("topics")
        self._seen = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        try:
            cluster = self._admin.cluster()
        except Refused as refused:
            raise Unreachable(str(refused)) from None
        self._place = f"{self.source}/{cluster.id or 'cluster'}"
        topics = [t for t in cluster.topics if not is_internal(t)]
        yield Node(
            id=self._broker, name=self._broker, kind="broker",
            aliases=tuple(f"host:{h}" for h in self._hosts(cluster.hosts)),
            attributes={"cluster": cluster.id, "topics": len(topics)} if cluster.id else {"topics": len(topics)},
            evidence=self._at("observed"),
        )  # fmt: skip
        context.holds(self._broker, topics)
        if self._settings.unused:
            yield self._finding(
                "unused-settings",
                f"not needed for reading, and left out: {_some(self._settings.unused)}",
                "info",
            )
        sees_all = self._sees_all()
        if not sees_all:
            yield self._finding(
                "not-authorised", "this client may not describe the cluster: access control lists are not shown to it, nor groups that it may "
                "not describe; allow it DESCRIBE on the cluster (kafka-acls --add --cluster --operation Describe)",
            )  # fmt: skip
        yield from self._groups(context, tell)
        tell("access control lists")
        why = yield from self._acls(topics, context, sees_all=sees_all)
        yield from self._unknown(topics, context, why)

    def _groups(self, context: Context, tell: Tell) -> Iterator[Item]:
        from levada.landscape.live._kafka_admin import Refused

        groups: list[Group] = []
        try:
            ids, wrong = self._admin.group_ids()
            for text in wrong:
                yield self._finding("not-read", f"a broker did not list its groups: {text}")
            for group in self._admin.groups(ids):
                groups.append(group)
                tell(f"group {len(groups)} of {len(ids)}")
        except Refused as refused:
            yield self._refusal("consumer groups", refused)
        tell("offsets")
        wanted: set[Partition] = {p for g in groups for p in g.offsets if not is_internal(p[0])}
        ends = self._admin.ends(wanted)
        for group in groups:
            yield from self._group(group, ends, context)

    def _sees_all(self) -> bool:
        from levada.landscape.live._kafka_admin import Refused

        try:
            return self._admin.sees_all()
        except Refused:
            return True  # an old cluster does not tell; what it refuses is told by the questions themselves

    def _group(self, group: Group, ends: dict[Partition, int], context: Context) -> Iterator[Item]:
        topics = sorted(t for t in {p[0] for p in group.offsets} | group.assigned if not is_internal(t))
        idle = group.state == "empty"
        seen = self._at("observed", "group", group.id)
        if idle:
            seen = (structs.replace(seen[0], seen=None),)
        lags = [max(0, ends[p] - offset) for p, offset in group.offsets.items() if p in ends]
        attributes: dict[str, Any] = {"lag": sum(lags)} if lags else {}
        if group.clients:
            attributes |= {"clients": list(group.clients), "hosts": list(group.hosts)}
        if group.trouble:
            yield self._finding(
                "not-read", f"of the consumer group {group.id}: {group.trouble}", "warning", "group", group.id
            )
        if not topics:
            return
        yield Node(
            id=slug(group.id), name=group.id, kind="app", aliases=(group_alias(group.id),), attributes=attributes, evidence=seen
        )  # fmt: skip
        if idle:
            yield self._finding(
                "idle-group", f"no member of {group.id} is connected; that it reads {_some(topics)} is known from offsets that it committed, and not when. "
                f"If it is gone for good: kafka-consumer-groups --delete --group {group.id}",
                "info", "group", group.id,
            )  # fmt: skip
        for topic in topics:
            context.topic("reads", slug(group.id), topic, seen, broker=self._broker, protocol=BROKER)

    def _acls(
        self, topics: Collection[str], context: Context, *, sees_all: bool
    ) -> Generator[Item, None, str]:
        """Takes the permissions in; returns why a writer may be unknown."""
        from levada.landscape.live._kafka_acls import ANYONE, broad, may_use, permissions
        from levada.landscape.live._kafka_admin import Refused

        try:
            acls = self._admin.acls()
        except Refused as refused:
            yield self._refusal("access control lists", refused)
            return "its access control lists could not be read"
        for one in permissions(acls, topics):
            if not is_internal(one.topic):
                seen = self._at("configured", "acl", "topic", one.acl)
                app = principal_id(one.principal)
                yield Node(id=app, name=principal_name(one.principal), evidence=seen)
                context.topic(one.role, app, one.topic, seen, broker=self._broker, protocol=BROKER)
        for principal, group in may_use(acls):
            yield Node(
                id=principal_id(principal), name=principal_name(principal), aliases=(group_alias(group),),
                evidence=self._at("configured", "acl", "group", group),
            )  # fmt: skip
        for wide in broad(acls):
            who = "everybody" if wide.principal == ANYONE else principal_name(wide.principal)
            what = "every topic" if wide.topic == "*" else wide.topic
            yield self._finding(
                "broad-permission", f"{who} may {'read' if wide.role == 'reads' else 'write'} {what}; no flow is made of it", "info"
            )  # fmt: skip
        if acls:
            return "no access control list names who may write"
        return (
            "there are no access control lists"
            if sees_all
            else "its access control lists are not shown to this client"
        )

    def _unknown(self, topics: Collection[str], context: Context, why: str) -> Iterator[Item]:
        unwritten = [t for t in topics if not self._side(context, t, "writes")]
        if unwritten:
            yield self._finding(
                "unknown-producer",
                f"who writes {len(unwritten)} of {len(topics)} topics is not known ({_some(unwritten)}): Kafka keeps no record of "
                f"producers, and {why}. AsyncAPI documents, traces or the people who know can tell",
            )
        unread = [t for t in topics if not self._side(context, t, "reads")]
        if unread:
            yield self._finding(
                "unread-topic", f"nobody is known to read {len(unread)} of {len(topics)} topics: {_some(unread)}", "info"
            )  # fmt: skip

    def _side(self, context: Context, topic: str, role: str) -> bool:
        """Whether anybody is known on this side of a topic, also by files that name no broker."""
        return any(context.sides(topic, b)[role] for b in (self._broker, BROKER))

    def _hosts(self, others: Iterable[str]) -> list[str]:
        own = (b.rpartition(":")[0] for b in self._settings.brokers)
        return sorted({h.lower() for h in (*own, *others) if not is_local(h)})

    def _at(self, status: Status, *parts: str) -> tuple[Evidence]:
        place = "/".join((self._place, *(quote(p, safe="*") for p in parts)))
        return (Evidence(place, None, self._seen, status, self.name),)

    def _finding(self, kind: str, text: str, severity: Severity = "warning", *parts: str) -> Finding:
        return Finding(kind, severity, text, "/".join((self._place, *(quote(p, safe="*") for p in parts))))

    def _refusal(self, what: str, refused: Refused) -> Finding:
        kind = "not-authorised" if refused.reason == "forbidden" else "not-read"
        return self._finding(kind, f"the {what} could not be read whole: {refused}")


def _some(names: Collection[str]) -> str:
    first = list(names)[:_SHOWN]
    more = len(names) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")
