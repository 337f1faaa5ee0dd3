import unicodedata
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from levada.network import Evidence, Flow, Network, Node, slug
from levada.network.names import normal

ids = st.sampled_from(["a", "b", "c", "d.e", "f/g"])
evidences = st.builds(
    Evidence, source=st.sampled_from(["x.csv", "y: z.yaml"]), line=st.none() | st.integers(1, 9),
    status=st.sampled_from(["declared", "configured", "observed"]),
)  # fmt: skip
texts = st.none() | st.text("ab: '\"-#=\n", max_size=6).map(str.strip).filter(bool)
nodes = st.builds(
    Node, id=ids, name=st.sampled_from(["", "A", "B b"]), owner=texts, kind=st.none() | st.sampled_from(["app", "db"]),
    aliases=st.lists(st.sampled_from(["host:x", "name:y"]), max_size=2, unique=True).map(tuple),
    evidence=st.lists(evidences, max_size=3, unique=True).map(tuple),
)  # fmt: skip
flows = st.builds(
    Flow, consumer=ids, provider=ids, object=texts, mode=st.sampled_from(["sync", "unknown"]), protocol=texts,
    volume_day=st.none() | st.floats(0, 1e9), evidence=st.lists(evidences, max_size=3, unique=True).map(tuple),
).filter(lambda f: f.consumer != f.provider)  # fmt: skip


@st.composite
def networks(draw: st.DrawFn) -> Network:
    network = Network()
    for node in draw(st.lists(nodes, max_size=5)):
        network.add_node(node)
    for flow in draw(st.lists(flows, max_size=6)):
        network.add_flow(flow)
    return network


@given(networks(), networks())
@settings(max_examples=60, deadline=None)
def test_merge_loses_nothing(one: Network, other: Network) -> None:
    merged = one.merge(other)
    assert merged.nodes.keys() == one.nodes.keys() | other.nodes.keys()
    assert merged.flows.keys() == one.flows.keys() | other.flows.keys()
    for source in (one, other):
        for key, node in source.nodes.items():
            assert set(node.evidence) <= set(merged.nodes[key].evidence)
            assert set(node.aliases) <= set(merged.nodes[key].aliases)
        for key, flow in source.flows.items():
            assert set(flow.evidence) <= set(merged.flows[key].evidence)


@given(networks(), networks(), networks())
@settings(max_examples=40, deadline=None)
def test_merge_is_idempotent_and_associative(a: Network, b: Network, c: Network) -> None:
    assert a.merge(a).sorted() == a.sorted()
    left, right = a.merge(b).merge(c).sorted(), a.merge(b.merge(c)).sorted()
    assert left.flows.keys() == right.flows.keys()
    for key in left.nodes:
        assert left.nodes[key].owner == right.nodes[key].owner
        assert left.nodes[key].evidence == right.nodes[key].evidence


def test_of_two_owners_the_first_stands_and_the_second_is_told() -> None:
    first, second = Network.of([Node(id="a", owner="x")]), Network.of([Node(id="a", owner="y")])
    merged = first.merge(second)
    assert merged.nodes["a"].owner == "x"
    assert [f.kind for f in merged.findings] == ["conflict"]


def test_difference_names_what_changed_and_not_evidence() -> None:
    before = Network.of([Node(id="a"), Node(id="b")], [Flow(consumer="a", provider="b")])
    after = before.merge(
        Network.of([Node(id="c")], [Flow(consumer="a", provider="b", evidence=(Evidence("s"),))])
    )
    difference = before.difference(after)
    assert difference.nodes_added == ("c",)
    assert not difference.flows_changed
    assert not before.difference(before)


def test_renaming_merges_and_never_drops_silently() -> None:
    network = Network()
    network.add_flow(Flow(consumer="crm", provider="erp"))
    network.add_flow(Flow(consumer="crm-2", provider="erp"))
    network.add_flow(Flow(consumer="crm", provider="crm-2"))
    renamed = network.renamed({"crm-2": "crm"})
    assert set(renamed.nodes) == {"crm", "erp"}
    assert list(renamed.flows) == ["crm > erp (unknown)"]
    assert "id:crm-2" in renamed.nodes["crm"].aliases
    assert [f.kind for f in renamed.findings] == ["merged-flow"]
    assert renamed.resolve("crm-2") == renamed.nodes["crm"]


def test_consumers_and_providers_are_asked_by_id() -> None:
    network = Network()
    network.add_flow(Flow(consumer="a", provider="b"))
    network.add_flow(Flow(consumer="c", provider="b"))
    assert network.consumers("b") == ["a", "c"]
    assert network.providers("a") == ["b"]
    assert network.resolve("nobody") is None


def test_names_in_any_script_become_ids() -> None:
    assert slug("  Höhe & Co ") == "hohe-co"
    assert slug("Straße № 5½ ﬁ") == "strae-no-512-fi"
    names = ("Заказы CRM", "Склад CRM", "Учёт", "訂單系統", "注文", "주문", "Παραγγελίες", "ऑर्डर", "الطلبات")
    assert slug("✅ Заказы CRM!") == "заказы-crm"
    assert slug("⚙️ Orders ✍️") == "orders"
    assert len({slug(name) for name in names}) == len(names)
    assert slug(unicodedata.normalize("NFD", "Учёт")) == slug("УЧЁТ")
    assert normal("CustomerAPI-prod") == normal("customer_service v2") == "customer"


def _counted(consumer: str, calls: float, importer: str = "access-log", **more: Any) -> Flow:
    return Flow(
        consumer=consumer, provider="erp", mode="sync", volume_day=calls, errors_day=1.0,
        attributes={"requests": calls, "errors": 1, **more}, evidence=(Evidence("l", 1, None, "observed", importer),),
    )  # fmt: skip


def test_calls_of_two_names_of_one_system_add_up() -> None:
    """One log told them apart, so they are different calls; what two observers saw may be the same."""
    nodes = [Node(id=i) for i in ("crm", "crm-2", "erp")]
    for importer, volume, requests in (("access-log", 150, 150), ("traces", 100, 100)):
        network = Network.of(nodes, [_counted("crm", 100), _counted("crm-2", 50, importer)])
        (flow,) = network.renamed({"crm-2": "crm"}).flows.values()
        assert (flow.volume_day, flow.attributes["requests"]) == (volume, requests)
    unknown = structs.replace(_counted("crm-2", 50), volume_day=None)
    (flow,) = Network.of(nodes, [_counted("crm", 100), unknown]).renamed({"crm-2": "crm"}).flows.values()
    assert (flow.volume_day, flow.errors_day, flow.attributes["requests"]) == (100, 2, 150)


def test_of_two_schedules_of_one_flow_none_is_lost() -> None:
    daily = Flow(consumer="a", provider="b", attributes={"schedule": "0 3 * * *", "period_s": 86400.0})
    monthly = Flow(consumer="a", provider="b", attributes={"schedule": "0 4 1 * *", "period_s": 2678400.0})
    for one, other in ((daily, monthly), (monthly, daily)):
        network = Network()
        network.add_flow(one)
        network.add_flow(other)
        network.add_flow(one)
        (flow,) = network.flows.values()
        assert flow.attributes["period_s"] == 2678400.0
        assert set(flow.attributes["schedule"].split(" | ")) == {"0 3 * * *", "0 4 1 * *"}
