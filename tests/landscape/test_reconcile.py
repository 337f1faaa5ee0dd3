from pathlib import Path

import pytest
from msgspec import structs

from levada.cli.map import map_
from levada.cli.review import MergeAmbiguous, MergeContradicted, MergeMissing, review
from levada.landscape.mapping import map_folders
from levada.landscape.questions import questions
from levada.landscape.reconcile import rules, suggest
from levada.landscape.review import REVIEW_NAME, ReviewError, Suggestion, closed, load_review, save_review
from levada.network import Flow, Network, Node

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


def test_two_known_products_are_two_whatever_account_they_share() -> None:
    shared = ("connection:Google Drive account",)
    assert not suggest(Network.of([Node(id="openai", aliases=shared), Node(id="gmail", aliases=shared)]))


@pytest.mark.parametrize("name", ["[UPDATE ME]", "Replace me", "<your-account>"])
def test_a_name_that_is_still_to_be_filled_in_joins_nothing(name: str) -> None:
    shared = (f"connection:{name}",)
    assert not suggest(Network.of([Node(id="a", aliases=shared), Node(id="b", aliases=shared)]))


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


def test_a_merge_is_accepted_by_its_pair_or_number_where_the_id_says_too_little(tmp_path: Path) -> None:
    path = tmp_path / "review.yaml"
    rows = [Suggestion(keep="a", drop="x"), Suggestion(keep="b", drop="x"), Suggestion(keep="c", drop="y")]
    save_review(path, rows)
    with pytest.raises(MergeAmbiguous, match=r"a=x \(1\), b=x \(2\)"):
        review(path, accept=("x",))
    assert [s.decision for s in load_review(path)] == ["open"] * 3
    with pytest.raises(MergeContradicted):
        review(path, accept=("2",), refuse=("x",))
    with pytest.raises(MergeMissing):
        review(path, accept=("4",))
    assert review(path, accept=("b=x", "3"), refuse=("a=x",)) == 0
    assert [s.decision for s in load_review(path)] == ["refuse", "accept", "accept"]
    assert review(path, refuse=("x",)) == 0
    assert [s.decision for s in load_review(path)] == ["refuse", "refuse", "accept"]


def test_a_refused_merge_is_not_suggested_again(tmp_path: Path) -> None:
    root = landscape(tmp_path / "x")
    path = root / REVIEW_NAME
    map_(root, review=path)
    review(path, refuse=(load_review(path)[0].drop,))
    assert not map_folders([root]).suggestions


def test_a_malformed_review_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("levada_review: 1\nmerges:\n  - keep: a\n    drop: b\n    decision: perhaps\n")
    with pytest.raises(ReviewError, match=r"line 5.*'perhaps' is no decision"):
        load_review(path)


def test_renamings_in_a_circle_end() -> None:
    assert closed({"a": "b", "b": "c"}) == {"a": "c", "b": "c"}
    assert set(closed({"a": "b", "b": "a"})) <= {"a", "b"}


HEAD = "levada_review: 1\nmerges:\n"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        (HEAD + "  - decison: accept\n    keep: a\n    drop: b\n", 3, "is decision meant"),
        (HEAD + "  - keep: a\n", 3, "drop"),
        (HEAD + "  - keep: a\n    drop: 7\n", 4, "Expected `str`"),
        (HEAD + "  - keep: a\n    drop: a\n", 3, "with itself"),
        (HEAD + "  - just text\n", 3, "decision, keep and drop"),
        ("levada_review: 1\nmerges: {a: b}\n", 2, "no list"),
        ("merges: []\n", 1, "does not begin"),
        (HEAD + "  - keep: [a\n", 4, "expected"),
        (
            HEAD + "  - {keep: a, drop: b, decision: accept}\n  - {keep: c, drop: b, decision: accept}\n",
            4,
            "into a .line 3. and into c",
        ),
        (
            HEAD + "  - {keep: a, drop: b, decision: accept}\n  - {keep: b, drop: a, decision: accept}\n",
            3,
            "and a into b",
        ),
        (
            HEAD + "  - {keep: a, drop: b, decision: accept}\n  - {keep: a, drop: c, decision: accept}\n"
            "  - {keep: b, drop: c, decision: refuse}\n",
            5,
            "kept apart here",
        ),
    ],
)
def test_a_mistake_of_a_person_is_told_with_its_line(
    tmp_path: Path, text: str, line: int, problem: str
) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    with pytest.raises(ReviewError, match=rf"line {line}: .*{problem}"):
        load_review(path)


def test_one_name_in_two_namespaces_may_be_one_and_two_names_in_one_are_not() -> None:
    pto, obo = Node(id="pto.person", owner="pto"), Node(id="obo.person", owner="obo")
    (found,) = suggest(Network.of([pto, obo, Node(id="pto.person-api"), Node(id="pto.person-2")]))
    assert {found.keep, found.drop} == {"pto.person", "obo.person"}
    assert found.rule == "same-name-elsewhere"
    assert "their owners differ (obo, pto)" in found.reason


def test_who_calls_the_other_is_not_the_other() -> None:
    nodes = [Node(id="orders"), Node(id="orders-service")]
    assert suggest(Network.of(nodes))
    assert not suggest(Network.of(nodes, [Flow(consumer="orders", provider="orders-service")]))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("shop.db", "crm.db"), ("a.postgres", "b.postgres"), ("ext:api.acme.org", "ext:api.other.org"),
        ("ext:www.acme.org", "ext:www.other.org"), ("db:t.amt-x-2", "db:t.amt-x-3"), ("team.amt-x-2", "team.amt-x-3"),
        ("orders", "orders-test"), ("a/local-postgres", "b/local-postgres"), ("unresolved:a/db_url", "unresolved:b/db_url"),
    ],
)  # fmt: skip
def test_what_every_project_has_is_not_one(one: str, two: str) -> None:
    assert not suggest(Network.of([Node(id=one), Node(id=two)]))


def test_a_suggestion_names_evidence_shared_users_and_what_it_joins() -> None:
    nodes = [Node(id="team.orders"), Node(id="ext:orders.acme.org"), Node(id="shop")]
    flows = [Flow(consumer="shop", provider=p) for p in ("team.orders", "ext:orders.acme.org")]
    (found,) = suggest(Network.of(nodes, flows))
    assert (found.keep, found.drop) == ("team.orders", "ext:orders.acme.org")
    assert "both are used by shop; joins 1 flow and 1 flow" in found.reason


def test_a_merge_of_ones_own_is_applied_and_kept(tmp_path: Path) -> None:
    root = landscape(tmp_path / "x")
    path = root / REVIEW_NAME
    path.write_text(HEAD + "  - decision: accept\n    keep: crm\n    drop: erp\n    note: one since 2025\n")
    assert "erp" not in map_folders([root]).network.nodes
    map_(root, review=path)
    kept = load_review(path)[0]
    assert (kept.decision, kept.drop, kept.note) == ("accept", "erp", "one since 2025")


def test_an_accepted_merge_is_split_by_refusing_it(tmp_path: Path) -> None:
    root = landscape(tmp_path / "x")
    path = root / REVIEW_NAME
    before = map_folders([root]).network
    map_(root, review=path)
    drop = load_review(path)[0].drop
    review(path, accept=(drop,))
    assert drop not in map_folders([root]).network.nodes
    review(path, refuse=(drop,))
    after = map_folders([root])
    assert after.network.sorted() == before.sorted()
    assert not after.suggestions
    map_(root, review=path)
    assert [s.decision for s in load_review(path)] == ["refuse"]


def test_what_was_refused_stays_refused_when_one_of_the_two_is_merged_elsewhere(tmp_path: Path) -> None:
    root = tmp_path / "x"
    root.mkdir()
    (root / "flows.csv").write_text(FLOWS + "u,orders,sync,\nv,orders-api,sync,\nw,Orders_Service,sync,\n")
    path = root / REVIEW_NAME
    path.write_text(
        HEAD + "  - {keep: orders, drop: orders-api, decision: accept}\n"
        "  - {keep: orders-api, drop: Orders_Service, decision: refuse}\n"
    )
    mapped = map_folders([root])
    assert not mapped.suggestions
    assert {"orders", "Orders_Service"} <= mapped.network.nodes.keys()


def test_a_decision_on_nobody_is_told_with_its_line(tmp_path: Path) -> None:
    root = landscape(tmp_path / "x")
    (root / REVIEW_NAME).write_text(HEAD + "  - {keep: crm, drop: crmm, decision: accept}\n")
    (found,) = [f for f in map_folders([root]).network.findings if f.kind == "review"]
    assert (found.line, found.source) == (3, REVIEW_NAME)
    assert "crmm" in found.text


def test_contradicting_decisions_are_not_written(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    text = HEAD + "  - {keep: a, drop: b}\n  - {keep: c, drop: b}\n"
    path.write_text(text)
    with pytest.raises(ReviewError, match=r"into a .line 3. and into c"):
        review(path, accept=("a=b", "c=b"))
    assert path.read_text() == text


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(HEAD + "  - {keep: a, drop: b}\n")
    before = path.read_bytes()
    assert review(path, accept=("b",), dry_run=True) == 0
    assert path.read_bytes() == before
    assert "1 would change; nothing was written" in capsys.readouterr().out


def test_the_names_of_a_real_organisation(tmp_path: Path) -> None:
    """Ids as the exports of one organisation hold them: who is under two names, and who only looks so."""
    (tmp_path / "systems.csv").write_text(
        "id,name,kind,owner,domain\npoao.follow,follow,app,poao,poao\npto.follow,follow,app,pto,pto\n"
        "obo.person,person,app,obo,obo\npto.person,person,app,pto,pto\ndab.desk,desk,app,dab,dab\n"
        "ext:desk.intern.acme.org,desk.intern.acme.org,app,acme,\nhm.proxy-x,proxy-x,app,hm,hm\n"
        "ext:proxy-x.prod-pub.acme.io,proxy-x.prod-pub.acme.io,app,acme,\nhm.order-api,order-api,app,hm,hm\n"
        "hm.order,order,channel,hm,hm\ndb:hm.amt-2,amt-2,db,hm,hm\ndb:hm.amt-3,amt-3,db,hm,hm\n"
    )
    (tmp_path / "flows.csv").write_text(
        FLOWS + "hm.order,hm.order-api,unknown,\nhm.order-api,hm.proxy-x,sync,http\n"
    )
    found = {(s.keep, s.drop) for s in map_folders([tmp_path]).suggestions}
    assert found == {
        ("obo.person", "pto.person"),
        ("poao.follow", "pto.follow"),
        ("dab.desk", "ext:desk.intern.acme.org"),
        ("hm.proxy-x", "ext:proxy-x.prod-pub.acme.io"),
    }


@pytest.mark.parametrize(
    ("keep", "drop"), [("Billing Hub", "bill2"), ("billing", "Bills"), ("Billing hub", "BILLS")]
)
def test_a_merge_may_name_systems_as_people_call_them(tmp_path: Path, keep: str, drop: str) -> None:
    (tmp_path / "systems.csv").write_text("id,name\nbilling,Billing Hub\nbill2,Bills\nerp,ERP\n")
    (tmp_path / "flows.csv").write_text("consumer,provider\nerp,billing\nerp,bill2\n")
    rows = f"levada_review: 1\nmerges:\n  - {{decision: accept, keep: {keep}, drop: {drop}}}\n"
    (tmp_path / REVIEW_NAME).write_text(rows)
    network = map_folders([tmp_path]).network
    assert sorted(network.nodes) == ["billing", "erp"]
    assert list(network.flows) == ["erp > billing (unknown)"]


FRONTED = {
    "proxy/nginx.conf": "upstream pool { server billing:8080; }\nserver {\n  server_name billing.acme.example;\n  location / { proxy_pass http://pool; }\n}\n",
    "compose.yaml": 'services:\n  billing: {image: acme/billing:1}\n  shop:\n    image: acme/shop:1\n    environment: {BILLING_URL: "https://billing.acme.example/v1/invoices"}\n',
    "api/billing.yaml": 'openapi: 3.0.0\ninfo: {title: Invoices API, version: "1", contact: {name: finance}}\nservers: [{url: "https://billing.acme.example/v1"}]\npaths: {/invoices: {get: {responses: {"200": {description: ok}}}}}\n',
}


def _written(files: dict[str, str], root: Path) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def test_a_document_of_a_proxys_host_is_the_contract_of_what_stands_behind_it(tmp_path: Path) -> None:
    mapped = map_folders([_written(FRONTED, tmp_path)])
    net = mapped.network
    assert {f.kind for f in net.findings} == {"contract"}
    assert set(net.flows) == {"shop > proxy (sync/http)", "proxy > billing [/] (sync/http)"}
    assert net.nodes["billing"].attributes["contract"] == "api/billing.yaml"
    assert not [q for q in questions(net) if q.field == "contract"]
    [suggestion] = mapped.suggestions
    assert (suggestion.keep, suggestion.drop) == ("billing", "api/invoices-api")
    assert "api/billing.yaml:2" in suggestion.evidence
    save_review(tmp_path / REVIEW_NAME, [structs.replace(suggestion, decision="accept")])
    again = map_folders([tmp_path])
    assert "api/invoices-api" not in again.network.nodes
    assert again.suggestions == []


def test_a_proxy_of_several_systems_tells_of_no_contract(tmp_path: Path) -> None:
    more = FRONTED["proxy/nginx.conf"].replace("billing:8080;", "billing:8080; server stock:8080;")
    mapped = map_folders([_written({**FRONTED, "proxy/nginx.conf": more}, tmp_path)])
    assert "contract" not in mapped.network.nodes["billing"].attributes
    assert {f.kind for f in mapped.network.findings} == set()


def test_a_host_of_two_that_are_merged_is_theirs(tmp_path: Path) -> None:
    files = {
        "systems.csv": "id,aliases\none,host:erp.acme.example\ntwo,host:erp.acme.example\n",
        "compose.yaml": 'services:\n  shop:\n    image: acme/shop:1\n    environment: {ERP_URL: "https://erp.acme.example/v1"}\n',
    }
    root = _written(files, tmp_path)
    assert "ambiguous-host" in {f.kind for f in map_folders([root]).network.findings}
    save_review(root / REVIEW_NAME, [Suggestion(keep="one", drop="two", decision="accept")])
    net = map_folders([root]).network
    assert "ambiguous-host" not in {f.kind for f in net.findings}
    assert list(net.flows) == ["shop > one (sync/http)"]
