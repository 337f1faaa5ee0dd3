"""What is infrastructure, and what only sounds like it."""

from __future__ import annotations

from typing import Any

import pytest

from levada.landscape.infrastructure import brokered, infrastructure
from levada.network.graph import Evidence, Flow, Network, Node


def why(flow: Flow, *nodes: Node) -> str | None:
    network = Network.of(nodes)
    network.add_flow(flow)
    return infrastructure(network)(flow)


@pytest.mark.parametrize(
    "flow",
    [
        Flow(consumer="shop", provider="orders", object="health"),
        Flow(consumer="shop", provider="otel-collector"),
        Flow(consumer="shop", provider="ext:amt-unleash-api.nav.cloud.nais.io"),
        Flow(consumer="shop", provider="login.microsoftonline.com"),
        Flow(consumer="script/setup", provider="get.acme.org", object="/lua-5.4.tar.gz", mode="sync"),
        Flow(consumer="script/mirror", provider="repo.maven.apache.org", object="/maven2"),
        Flow(consumer="webshoppingapigw", provider="orders"),
        Flow(consumer="shop", provider="seq"),
        Flow(consumer="amt.amt-kafka-manager", provider="orders", object="order", mode="async"),
        Flow(consumer="a", provider="b", attributes={"by": "depends_on"}),
        Flow(
            consumer="a", provider="b", evidence=(Evidence("src/docker-compose.yml", 3, status="declared"),)
        ),
    ],
)
def test_it_is_told_with_a_reason(flow: Flow) -> None:
    assert why(flow)


@pytest.mark.parametrize(
    "flow",
    [
        Flow(consumer="shop", provider="catalog"),
        Flow(consumer="shop", provider="login-history"),
        Flow(consumer="script/night", provider="bank.acme.org", object="/statements.zip"),
        Flow(consumer="shop", provider="veeva-vault"),
        Flow(consumer="shop", provider="sequences"),
        Flow(consumer="shop", provider="hm-oebs-api-proxy"),
        Flow(consumer="shop", provider="payment-gateway"),
        Flow(consumer="a", provider="b", evidence=(Evidence("flows.csv", 3, status="declared"),)),
        Flow(
            consumer="a",
            provider="b",
            object="order",
            evidence=(Evidence("compose.yaml", 3, status="declared"),),
        ),
    ],
)
def test_business_is_left_alone(flow: Flow) -> None:
    assert why(flow) is None


def test_a_person_knows_better() -> None:
    flow = Flow(consumer="shop", provider="grafana")
    assert why(flow, Node(id="grafana"))
    assert why(flow, Node(id="grafana", attributes={"infrastructure": "no"})) is None
    assert why(Flow(consumer="a", provider="x"), Node(id="x", attributes={"infrastructure": "yes"}))


@pytest.mark.parametrize(
    ("more", "on_a_broker"),
    [
        ({"mode": "async", "protocol": "kafka"}, True),
        ({"mode": "async", "attributes": {"topic": "orders"}}, True),
        ({"mode": "async", "protocol": "http"}, False),
        ({"mode": "async"}, False),
        ({"mode": "sync", "protocol": "http"}, False),
    ],
)
def test_an_event_on_a_broker(more: dict[str, Any], on_a_broker: bool) -> None:
    flow = Flow(consumer="a", provider="b", **more)
    assert brokered(Network.of([Node(id="a"), Node(id="b")], [flow]), flow) is on_a_broker
