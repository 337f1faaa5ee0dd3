"""Questions to a Kafka cluster, each with a deadline; none of them changes anything."""

# The library's classes are public by its documentation, and not re-exported as its py.typed would want.
# pyright: reportPrivateImportUsage=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from levada.connect.errors import ExtraMissing
from levada.connect.secrets import without
from levada.landscape.live._kafka_settings import KafkaSettings, KafkaSettingsError

try:
    from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
    from confluent_kafka import admin as _admin
except ModuleNotFoundError:
    raise ExtraMissing(what="Reading a Kafka cluster", extra="kafka") from None

__all__ = ["Acl", "Admin", "Cluster", "Group", "Partition", "Refused"]

FIRST = 2.0
"""Seconds after which it is looked whether waiting is of any use."""
AT_ONCE = 100
"""Groups asked for at the same time."""
Partition: TypeAlias = tuple[str, int]
Reason: TypeAlias = Literal["unreachable", "forbidden", "failed"]
_FORBIDDEN = frozenset(
    (
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    )
)
_AWAY = frozenset(
    (
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._RESOLVE,
        KafkaError._SSL,
        KafkaError._AUTHENTICATION,
        KafkaError.REQUEST_TIMED_OUT,
    )
)
_SHUT = (KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._RESOLVE)
_TELLING = (*_SHUT, KafkaError._TRANSPORT)
"""Errors of connections by how much they say of the cause."""


class Refused(Exception):
    """A question that got no answer: why, in a word and in a sentence without secrets.

    ``final``: asking again is of no use.
    """

    def __init__(self, reason: Reason, text: str, *, final: bool = True) -> None:
        super().__init__(text)
        self.reason: Reason = reason
        self.final = final


class Cluster(Struct, frozen=True):
    """Who answers, and the topics that this client may see, with their partitions."""

    id: str | None
    hosts: tuple[str, ...]
    topics: Mapping[str, int]


class Group(Struct, frozen=True):
    """A consumer group. ``offsets``: the next one to read, by partition, where it has committed."""

    id: str
    state: str
    clients: tuple[str, ...]
    hosts: tuple[str, ...]
    assigned: frozenset[str]
    offsets: Mapping[Partition, int]
    trouble: str | None = None
    """What of it could not be read, and why."""


class Acl(Struct, frozen=True):
    """An entry of an access control list."""

    resource: Literal["topic", "group"]
    name: str
    prefixed: bool
    principal: str
    operation: str
    allow: bool


class Admin:
    """A connection to one cluster, for one import. Not to be used from several threads.

    Raises:
        KafkaSettingsError: librdkafka takes the settings for malformed.
    """

    def __init__(self, settings: KafkaSettings, timeout: float) -> None:
        self._settings, self._timeout = settings, timeout
        self._errors: list[KafkaError] = []
        config: dict[str, Any] = {
            "client.id": "levada-map",
            **settings.properties,
            "bootstrap.servers": ",".join(settings.brokers),
            "log_level": 0,
            "error_cb": self._note,
        }
        try:
            self._client = _admin.AdminClient(config)
        except KafkaException as error:
            problem = f"{self._said(error)}."
            raise KafkaSettingsError(place=settings.address, problem=problem) from None

    def cluster(self) -> Cluster:
        """The first question: it finds out whether the cluster answers at all."""
        found = self._metadata()
        return Cluster(
            id=found.cluster_id,
            hosts=tuple(sorted({str(b.host) for b in found.brokers.values() if b.host})),
            topics={name: len(t.partitions) for name, t in sorted(found.topics.items())},
        )

    def sees_all(self) -> bool:
        """May this client describe the cluster? If not, access control lists are not shown to it, nor groups that it may not describe."""
        found = self._result(
            self._client.describe_cluster(include_authorized_operations=True, request_timeout=self._timeout)
        )
        allowed = {o.name for o in found.authorized_operations or ()}
        return "DESCRIBE" in allowed or "ALL" in allowed

    def group_ids(self) -> tuple[list[str], list[str]]:
        """The ids of all consumer groups that are listed, and what was wrong with brokers that did not list theirs."""
        found = self._result(self._client.list_consumer_groups(request_timeout=self._timeout))
        wrong = [self._said(e) for e in found.errors or ()]
        return sorted({g.group_id for g in found.valid or () if g.group_id}), wrong

    def groups(self, ids: Sequence[str]) -> Iterator[Group]:
        """The groups, a hundred at a time.

        Raises:
            Refused: The cluster does not answer any more.
        """
        for start in range(0, len(ids), AT_ONCE):
            some = list(ids[start : start + AT_ONCE])
            described = self._client.describe_consumer_groups(some, request_timeout=self._timeout)
            committed = {
                i: self._client.list_consumer_group_offsets(
                    [ConsumerGroupTopicPartitions(i)], request_timeout=self._timeout
                )[i]
                for i in some
            }
            for i in some:
                yield self._group(i, described[i], committed[i])

    def ends(self, partitions: Iterable[Partition]) -> dict[Partition, int]:
        """The offset behind the last record of each partition; partitions that do not answer are left out."""
        wanted: Any = {TopicPartition(*p): _admin.OffsetSpec.latest() for p in sorted(partitions)}
        if not wanted:
            return {}
        out: dict[Partition, int] = {}
        for place, future in self._client.list_offsets(wanted, request_timeout=self._timeout).items():
            try:
                out[place.topic, place.partition] = self._result(future).offset
            except Refused:
                continue
        return out

    def acls(self) -> list[Acl]:
        """The entries for topics and groups; none also where this client may not see them, or there is no authorizer."""
        out: list[Acl] = []
        every: Any = None
        kinds: tuple[tuple[Literal["topic", "group"], Any], ...] = (
            ("topic", _admin.ResourceType.TOPIC),
            ("group", _admin.ResourceType.GROUP),
        )
        for resource, kind in kinds:
            wanted = _admin.AclBindingFilter(
                kind, every, _admin.ResourcePatternType.ANY, every, every,
                _admin.AclOperation.ANY, _admin.AclPermissionType.ANY,
            )  # fmt: skip
            found = self._result(self._client.describe_acls(wanted, request_timeout=self._timeout))
            out.extend(
                Acl(
                    resource=resource,
                    name=str(a.name),
                    prefixed=a.resource_pattern_type is _admin.ResourcePatternType.PREFIXED,
                    principal=str(a.principal),
                    operation=a.operation.name,
                    allow=a.permission_type is _admin.AclPermissionType.ALLOW,
                )
                for a in found
            )
        return out

    def _metadata(self) -> Any:
        first = min(FIRST, self._timeout)
        try:
            return self._client.list_topics(timeout=first)
        except KafkaException as error:
            refused = self._refused(error)
            if refused.final or first == self._timeout:
                raise refused from None
        try:
            return self._client.list_topics(timeout=self._timeout - first)
        except KafkaException as error:
            raise self._refused(error) from None

    def _group(self, name: str, described: Future[Any], committed: Future[Any]) -> Group:
        trouble: Refused | None = None
        state, members, offsets = "unknown", [], {}
        try:
            found = self._result(described)
            state, members = found.state.name.lower(), list(found.members)
        except Refused as refused:
            trouble = refused
        try:
            offsets = {
                (p.topic, p.partition): p.offset
                for p in self._result(committed).topic_partitions or ()
                if p.error is None and p.offset >= 0
            }
        except Refused as refused:
            if refused.reason == "unreachable" and trouble is not None:
                raise
            trouble = refused
        return Group(
            id=name,
            state=state,
            clients=tuple(sorted({str(m.client_id) for m in members if m.client_id})),
            hosts=tuple(sorted({str(m.host).removeprefix("/") for m in members if m.host})),
            assigned=frozenset(p.topic for m in members for p in m.assignment.topic_partitions),
            offsets=offsets,
            trouble=str(trouble) if trouble else None,
        )

    def _result(self, future: Future[Any]) -> Any:
        try:
            # librdkafka keeps the deadline itself; this one is for the case that it does not.
            return future.result(self._timeout + 5)
        except KafkaException as error:
            raise self._refused(error) from None
        except FutureTimeout:
            raise Refused("unreachable", f"no answer within {self._timeout:g} s") from None

    def _refused(self, error: KafkaException) -> Refused:
        code = error.args[0].code()
        if code in _FORBIDDEN:
            return Refused("forbidden", self._said(error))
        if code not in _AWAY:
            return Refused("failed", self._said(error))
        self._client.poll(0)
        causes = sorted(
            (e for e in self._errors if e.code() in _TELLING), key=lambda e: _TELLING.index(e.code())
        )
        self._errors.clear()
        if not causes:
            return Refused("unreachable", self._said(error), final=False)
        return Refused("unreachable", self._clean(causes[0].str()), final=causes[0].code() in _SHUT)

    def _said(self, error: Any) -> str:
        return self._clean(error.args[0].str())

    def _clean(self, text: str) -> str:
        return without(text, *self._settings.secrets)

    def _note(self, error: KafkaError) -> None:
        # A broker that is away is told of many times a second.
        if len(self._errors) < 1000:
            self._errors.append(error)
