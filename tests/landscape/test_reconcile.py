from pathlib import Path

import pytest

from levada.cli.map import map_
from levada.cli.review import review
from levada.landscape.mapping import map_folders
from levada.landscape.reconcile import REVIEW_NAME, ReviewError, closed, load_review, rules, suggest
from levada.network import Network, Node

FLOWS = "consumer,provider,mode,protocol\n"


def landscape(root: Path) -> Path:
    root.mkdir(exist_ok=True)
    (root / "systems.csv").write_text(
        "id,name,kind,owner\ncrm,CRM,app,sales\ncustomer-api,Customer API,app,\nerp,ERP,,\n"
    )
    (root / "flows.csv").write_text(
        FLOWS + "crm,Customer_Service,sync,http\nshop,customer-api,sync,http\ncrm,erp,,\n"
    )
    return root


def test_rules_are_data_that_explain_themselves() -> None:
    assert len(rules()) >= 6
    assert all("{" in r.because and 0 < r.confidence < 1 for r in rules())


@pytest.mark.parametrize(
    ("one", "two", "rule"),
    [
        (
            Node(id="a", aliases=("host:crm.acme.org",)),
            Node(id="b", aliases=("host:CRM.acme.org",)),
            "same-host",
        ),
        (Node(id="a", aliases=("client:4711",)), Node(id="b", aliases=("client:4711",)), "same-client-id"),
        (
            Node(id="a", aliases=("package:acme-crm",)),
            Node(id="b", aliases=("package:acme-crm",)),
            "same-package",
        ),
        (
            Node(id="a", aliases=("connection:SF prod",)),
            Node(id="b", aliases=("connection:SF prod",)),
            "same-connection",
        ),
        (Node(id="CustomerApi"), Node(id="customer-service"), "same-name"),
        (Node(id="salesforce"), Node(id="acme.my.salesforce.com"), "same-product"),
        (Node(id="team.orders"), Node(id="ext:orders.intern.acme.org"), "host-is-name"),
    ],
)
def test_each_rule_suggests_with_its_reason(one: Node, two: Node, rule: str) -> None:
    (found,) = suggest(Network.of([one, two]))
    assert found.rule == rule
    assert {found.keep, found.drop} == {one.id, two.id}
    assert found.decision == "open"


def test_two_hosts_of_one_domain_are_not_one() -> None:
    assert not suggest(
        Network.of([Node(id="erp-db.internal"), Node(id="wh.internal"), Node(id="ext:a.acme.org")])
    )


def test_what_is_of_two_kinds_is_not_suggested() -> None:
    assert not suggest(Network.of([Node(id="orders", kind="app"), Node(id="Orders", kind="db")]))


def test_nothing_is_merged_until_a_person_accepts_and_then_always(tmp_path: Path) -> None:
    root = landscape(tmp_path / "x")
    path = tmp_path / "review.yaml"
    assert "Customer_Service" in map_folders([root]).network.nodes
    assert map_(root, review=path) == 0
    (found,) = load_review(path)
    assert {found.keep, found.drop} == {"customer-api", "Customer_Service"}
    assert review(path, accept=(found.drop,), by="Ann") == 0
    mapped = map_folders([root], review=path)
    kept = mapped.network.nodes[found.keep]
    assert found.drop not in mapped.network.nodes
    assert f"id:{found.drop}" in kept.aliases
    assert mapped.network.consumers(found.keep) == ["crm", "shop"]
    assert map_(root, review=path) == 0
    assert [(s.decision, s.by) for s in load_review(path)] == [("accept", "Ann")]


def test_a_refused_merge_is_not_suggested_again(tmp_path: Path) -> None:
    root = landscape(tmp_path / "x")
    path = root / REVIEW_NAME
    map_(root, review=path)
    review(path, refuse=(load_review(path)[0].drop,))
    assert not map_folders([root]).suggestions


def test_a_malformed_review_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("levada_review: 1\nmerges:\n  - keep: a\n    drop: b\n    decision: perhaps\n")
    with pytest.raises(ReviewError, match="line 3"):
        load_review(path)


def test_renamings_in_a_circle_end() -> None:
    assert closed({"a": "b", "b": "c"}) == {"a": "c", "b": "c"}
    assert set(closed({"a": "b", "b": "a"})) <= {"a", "b"}
