"""One Kafka with access control lists for all tests here, and a landscape in it."""

import os
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from levada.testing.servers.kafka import KafkaAbsent, KafkaServer, kafka_server

PASSWORDS = {"mapper": "m4pper-s3cret", "guest": "gu3st-s3cret"}
TOPICS = ("orders", "orders.eu", "invoices", "payments", "notices", "prices")


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaServer]:
    try:
        running = kafka_server(users=PASSWORDS)
        server = running.__enter__()
    except KafkaAbsent as absent:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(absent))
    try:
        yield server
    finally:
        running.__exit__(None, None, None)


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    return PASSWORDS


@pytest.fixture(scope="session")
def landscape(kafka: KafkaServer) -> Iterator[KafkaServer]:
    """``billing`` reads orders now and is 3 behind; ``ledger`` has read invoices before, all of them."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap})
    for made in admin.create_topics([NewTopic(t, 2, 1) for t in (*TOPICS, "_schemas")]).values():
        made.result(20)
    for made in admin.create_acls(_acls()).values():
        made.result(20)
    producer = Producer({"bootstrap.servers": kafka.bootstrap})
    for topic in ("orders", "invoices"):
        for number in range(5):
            producer.produce(topic, str(number).encode(), partition=0)
    assert producer.flush(20) == 0
    ledger = Consumer(_consumer(kafka, "ledger"))
    ledger.commit(offsets=[TopicPartition("invoices", 0, 5)], asynchronous=False)
    ledger.close()
    billing = Consumer(_consumer(kafka, "billing"))
    billing.subscribe(["orders"])
    while len(billing.assignment()) < 2:
        billing.poll(0.1)
    billing.commit(offsets=[TopicPartition("orders", 0, 2)], asynchronous=False)
    yield kafka
    billing.close()


def _consumer(kafka: KafkaServer, group: str) -> dict[str, str | bool]:
    return {
        "bootstrap.servers": kafka.bootstrap, "group.id": group, "client.id": f"{group}-1", "enable.auto.commit": False,
    }  # fmt: skip


def _acls() -> list[AclBinding]:
    topic, group, cluster = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.BROKER
    literal, prefix = ResourcePatternType.LITERAL, ResourcePatternType.PREFIXED
    read, write, allow, deny = (
        AclOperation.READ, AclOperation.WRITE, AclPermissionType.ALLOW, AclPermissionType.DENY,
    )  # fmt: skip
    return [
        AclBinding(topic, "orders", prefix, "User:shop", "*", write, allow),
        AclBinding(topic, "orders.eu", literal, "User:shop", "*", write, deny),
        AclBinding(topic, "invoices", literal, "User:CN=erp,OU=finance", "*", AclOperation.ALL, allow),
        AclBinding(topic, "orders", literal, "User:billing-svc", "*", read, allow),
        AclBinding(group, "billing", literal, "User:billing-svc", "*", read, allow),
        AclBinding(topic, "notices", literal, "User:*", "*", write, allow),
        AclBinding(topic, "*", literal, "User:mirror", "*", read, allow),
        AclBinding(topic, "returns.", prefix, "User:shop", "*", write, allow),
        AclBinding(topic, "_schemas", literal, "User:registry", "*", write, allow),
        AclBinding(cluster, "kafka-cluster", literal, "User:mapper", "*", AclOperation.DESCRIBE, allow),
        AclBinding(topic, "*", literal, "User:mapper", "*", AclOperation.DESCRIBE, allow),
        AclBinding(group, "*", literal, "User:mapper", "*", AclOperation.DESCRIBE, allow),
        AclBinding(topic, "prices", literal, "User:guest", "*", AclOperation.DESCRIBE, allow),
    ]
