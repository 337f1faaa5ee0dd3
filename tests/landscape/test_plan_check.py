"""What counts as gone, and what must not look like success."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levada.landscape.blueprint import blueprint
from levada.landscape.mapping import map_folders
from levada.landscape.plan import make_plan
from levada.landscape.plan_check import Checked, check
from levada.landscape.plan_observers import Observer, PlanFileError, read_observers, watched
from levada.landscape.plan_view import as_json
from levada.network.graph import Evidence, Flow, Mode, Network, Node

START = date(2026, 3, 2)
TODAY = START + timedelta(days=120)
FLOW = "c0 > p0 [order] (db)"


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def watcher(
    provider: str, since: date | datetime, until: date | datetime, coverage: float = 1.0, *modes: Mode
) -> Observer:
    """One who sees readers of tables, unless told otherwise."""
    return Observer(provider, since, until, coverage, modes=frozenset(modes or ("db",)))


def plan(
    consumer: Node | None = None,
    *,
    provider: Node | None = None,
    what: str = "order",
    also: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    flows = [Flow(consumer=f"c{i}", provider="p0", object=what, mode="db", **more) for i in range(8)]
    if also is not None:
        flows.append(Flow(consumer="c0", provider="p0", object=also, mode="db"))
    ends = sorted({f.consumer for f in flows} - {"c0"})
    net = Network.of(
        [consumer or Node(id="c0"), provider or Node(id="p0"), *(Node(id=e) for e in ends)], flows
    )
    return as_json(make_plan(net, blueprint(net), START))


def observed(
    when: str | None, *, consumer: Node | None = None, provider: Node | None = None, **more: Any
) -> Network:
    caller, callee = consumer or Node(id="c0"), provider or Node(id="p0")
    proof = (Evidence("access.log", 1, seen=when, status="observed"),)
    more = {"mode": "sync", **more}
    flow = Flow(consumer=caller.id, provider=callee.id, evidence=proof, **more)
    return Network.of([caller, callee], [flow])


def verdict(
    made: dict[str, Any],
    seen: Network | None = None,
    observers: tuple[Observer, ...] = (watcher("p0", ago(35), ago(1)),),
    revoked: tuple[str, ...] = ("c0",),
    flow: str = FLOW,
) -> tuple[str, str]:
    found = {c.flow: c for c in check(made, seen or Network(), observers, revoked, TODAY)}[flow]
    return found.verdict, "; ".join(found.reasons)


def test_gone_is_silence_an_observer_and_a_revoked_credential() -> None:
    assert verdict(plan()) == ("gone", "")
    assert verdict(plan(), revoked=(FLOW,)) == ("gone", "")
    assert verdict(plan(), revoked=())[0] == "not proven"
    assert verdict(plan(), observers=())[0] == "not proven"


def test_the_window_is_twice_the_period_and_an_unknown_one_may_be_month_end() -> None:
    for days, result in ((35, "gone"), (34, "not proven"), (20, "not proven")):
        assert verdict(plan(), observers=(watcher("p0", ago(days), ago(1)),))[0] == result
    daily = plan(attributes={"period_s": 86400})
    assert verdict(daily, observers=(watcher("p0", ago(7), ago(1)),))[0] == "gone"
    assert verdict(daily, observers=(watcher("p0", ago(6), ago(1)),))[0] == "not proven"


def test_a_dead_observer_is_no_silence() -> None:
    found, why = verdict(plan(), observers=(watcher("p0", ago(200), ago(9)),))
    assert (found, "silent since" in why) == ("not proven", True)


def test_an_outage_does_not_hide_in_a_long_good_record() -> None:
    year = watcher("p0", ago(365), ago(1), 0.995)  # 1.8 days may have been missed, all within the 35
    assert verdict(plan(), observers=(year,))[0] == "not proven"
    exact = (watcher("p0", ago(365), ago(20)), watcher("p0", ago(17), ago(1)))  # two days of 35 are missing
    assert verdict(plan(), observers=exact)[0] == "not proven"
    second = watcher("p0", ago(21), ago(10))
    assert verdict(plan(), observers=(*exact, second))[0] == "gone"


@pytest.mark.parametrize(
    ("when", "result"), [(3, "still used"), (35, "still used"), (36, "gone"), (None, "not proven")]
)
def test_a_call_within_the_window_counts_and_one_of_unknown_time_too(when: int | None, result: str) -> None:
    assert verdict(plan(), observed(ago(when).isoformat() if when else None))[0] == result


def test_another_object_of_the_same_pair_is_another_flow_only_if_both_are_known() -> None:
    assert verdict(plan(also="invoice"), observed(ago(1).isoformat(), object="invoice"))[0] == "gone"
    found, why = verdict(plan(), observed(ago(1).isoformat(), object="invoice"))
    assert (found, "for invoice, which the plan does not know" in why) == ("not proven", True)
    assert verdict(plan(), observed(ago(1).isoformat()))[0] == "still used"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Node(id="c0"), Node(id="billing", aliases=("id:c0",))),
        (Node(id="c0", name="Billing"), Node(id="billing")),
        (Node(id="c0", aliases=("client:7f3a",)), Node(id="new-billing", aliases=("client:7F3A",))),
        (Node(id="c0", aliases=("host:b.acme.org",)), Node(id="x", aliases=("host:b.acme.org",))),
        (Node(id="c0", aliases=("name:Customer Desk",)), Node(id="customer-desk", name="Customer Desk")),
        (Node(id="c0", aliases=("host:b.acme.org",)), Node(id="b.acme.org", name="b.acme.org")),
        (Node(id="c0", aliases=("client:crm-prod",)), Node(id="crm-prod", name="crm-prod")),
        (Node(id="c0", name="Desk 7"), Node(id="x", aliases=("client:desk-7",))),
    ],
)
def test_an_old_caller_under_another_name_is_still_there(before: Node, after: Node) -> None:
    found, why = verdict(plan(before), observed(ago(1).isoformat(), consumer=after))
    assert (found, after.id in why) == ("still used", True)


def test_a_call_counts_on_its_day_in_utc() -> None:
    """The evening of the day before the window, ten hours west, is within it."""
    assert verdict(plan(), observed(f"{ago(36)}T20:00:00-10:00"))[0] == "still used"
    assert verdict(plan(), observed(f"{ago(36)}T20:00:00+00:00"))[0] == "gone"
    assert verdict(plan(), observed(f"{ago(35)}T02:00:00+10:00"))[0] == "gone"


def test_a_provider_is_known_by_its_host_too() -> None:
    made = plan(provider=Node(id="p0", aliases=("host:p.acme.org",)))
    assert verdict(made, observed(ago(1).isoformat(), provider=Node(id="p.acme.org")))[0] == "still used"


@pytest.mark.parametrize(
    ("what", "seen", "also", "result"),
    [
        ("Orders", "/api/orders/{}", None, "still used"),
        ("orders", "GET /api/order/{}", None, "still used"),
        ("orders", "public.orders", None, "still used"),
        ("/api/orders", "/orders/{}", None, "not proven"),
        ("/orders", "/orders/{}/lines", None, "still used"),
        ("/v1/orders", "/sales/orders/v1/orders", None, "not proven"),
        ("orders", "/v1/q/{}", None, "not proven"),
        ("orders", "order-lines", None, "not proven"),
        ("orders", "order-lines", "order-lines", "gone"),
        ("orders", "/api/invoices/{}", "invoice", "gone"),
        ("/api/orders", "/api/invoices/{}", None, "not proven"),
        ("/api/orders", "/api/invoices/{}", "/api/invoices", "gone"),
        ("/a/b", "/c/d", None, "not proven"),
    ],
)
def test_what_another_words_mean_is_no_proof_of_another_flow(
    what: str, seen: str, also: str | None, result: str
) -> None:
    """A list says orders, the log a path: that the words differ does not make the old call go away."""
    made = plan(what=what, also=also)
    found = verdict(made, observed(ago(1).isoformat(), object=seen), flow=f"c0 > p0 [{what}] (db)")
    assert found[0] == result


def test_a_caller_that_is_an_address_may_be_anybody() -> None:
    flows = [Flow(consumer=f"c{i}", provider="p0", mode="sync", hours_month=40) for i in range(8)]
    caller = Node(id="c0", aliases=("host:10.0.0.8",))
    net = Network.of([caller, *(Node(id=f"c{i}") for i in range(1, 8)), Node(id="p0")], flows)
    made = as_json(make_plan(net, blueprint(net), START))

    def found(seen: Network, flow: str) -> str:
        every = check(made, seen, [watcher("p0", ago(35), ago(1), 1.0, "sync")], ["c0", "c1"], TODAY)
        return {c.flow: c for c in every}[flow].verdict

    def by(address: str, **more: Any) -> Network:
        return observed(ago(1).isoformat(), consumer=Node(id=address, name=address), **more)

    assert found(by("10.0.0.7"), "c1 > p0 (sync)") == "not proven"
    assert found(by("unknown"), "c1 > p0 (sync)") == "not proven"
    assert found(by("10.0.0.7", mode="db"), "c1 > p0 (sync)") == "gone"  # no reader of tables calls
    assert found(by("10.0.0.8"), "c1 > p0 (sync)") == "gone"  # it is c0's
    assert found(by("10.0.0.8"), "c0 > p0 (sync)") == "still used"
    assert found(by("c5"), "c1 > p0 (sync)") == "gone"  # it is known, and another
    assert found(by("portal"), "c1 > p0 (sync)") == "not proven"
    told = Node(id="portal", evidence=(Evidence("systems.csv", 2),))
    assert found(observed(ago(1).isoformat(), consumer=told), "c1 > p0 (sync)") == "gone"
    for nobody in ("erp-srv.acme.intern", "axis", "jax-ws"):
        assert found(by(nobody), "c1 > p0 (sync)") == "not proven"


def test_all_credentials_of_a_flow_have_to_be_revoked() -> None:
    made = plan(Node(id="c0", aliases=("client:a", "client:b")))
    found, why = verdict(made, revoked=("client:a",))
    assert (found, why) == ("not proven", "not known to be revoked of its credentials: b")
    assert verdict(made, revoked=("client:a", "b"))[0] == "gone"
    assert verdict(made, revoked=("c0",))[0] == "gone"
    one = plan(Node(id="c0", aliases=("client:a", "client:b")), attributes={"credential": "a"})
    assert verdict(one, revoked=("client:a",))[0] == "gone"
    assert verdict(one, revoked=("client:b",))[0] == "not proven"


def test_a_log_of_one_host_is_no_proof_for_the_others() -> None:
    made = plan(provider=Node(id="p0", aliases=("host:h1", "host:h2")))
    first, second = watcher("host:h1", ago(35), ago(1)), watcher("h2", ago(35), ago(1))
    found, why = verdict(made, observers=(first,))
    assert (found, "its host h2" in why) == ("not proven", True)
    assert verdict(made, observers=(first, watcher("h2", ago(35), ago(9))))[0] == "not proven"
    assert verdict(made, observers=(first, second))[0] == "gone"
    assert verdict(made, observers=(watcher("p0", ago(35), ago(1)),))[0] == "gone"
    assert verdict(made, observers=(first, watcher("p0", ago(35), ago(1))))[0] == "gone"


def test_the_same_credential_is_the_same_caller() -> None:
    seen = observed(ago(1).isoformat(), consumer=Node(id="job"), attributes={"client": "k-1"})
    assert verdict(plan(Node(id="c0", aliases=("client:k-1",))), seen)[0] == "still used"
    made = plan(attributes={"client_id": "k-1"})  # of all eight
    found, why = verdict(made, seen)
    assert (found, "the credential of c0 and c1 and" in why) == ("not proven", True)
    assert verdict(made, revoked=("client:k-1",))[0] == "gone"


@pytest.mark.parametrize(
    ("held", "shown"),
    [
        ("billing", "ACME\\billing"),
        ("billing", "BILLING@ACME.INTERN"),
        ("ACME\\billing", "billing"),
        ("müller", "m\\xC3\\xBCller"),
        ("müller", "m%C3%BCller"),
        ("mu\u0308ller", "m\u00fcller"),
    ],
)
def test_a_credential_in_another_spelling_is_the_same(held: str, shown: str) -> None:
    made = plan(Node(id="c0", aliases=(f"client:{held}",)))
    seen = observed(ago(1).isoformat(), consumer=Node(id="x", aliases=(f"client:{shown}",)))
    assert verdict(made, seen)[0] == "still used"


def test_what_is_not_shown_is_no_silence() -> None:
    """A log of another year, or none at all, and an observer's word that it watched."""
    flow = "c0 > p0 [order] (sync)"
    edge = {
        "flow": flow,
        "consumer": "c0",
        "provider": "p0",
        "object": "order",
        "mode": "sync",
        "protocol": None,
    }
    exit_ = {"days": 35, "coverage": 0.99, "edges": [edge]}
    made: dict[str, Any] = {"items": [{"id": "r", "kind": "retire", "ledger": [flow], "exit": exit_}]}
    watched_ = (Observer("p0", ago(35), ago(1)),)

    def found(seen: Network, observers: tuple[Observer, ...] = watched_) -> str:
        return verdict(made, seen, observers=observers, flow=flow)[0]

    assert found(Network()) == "not proven"
    assert found(observed(ago(300).isoformat(), consumer=Node(id="other"))) == "not proven"
    assert found(observed(ago(2).isoformat(), consumer=Node(id="other"))) == "gone"
    assert found(Network(), (Observer("p0", ago(35), ago(1), silent=True),)) == "gone"


def test_what_could_not_be_read_is_no_silence() -> None:
    gaps = ["billing.access.log, line 7: 3 lines are in no known form"]
    (found,) = [
        c
        for c in check(plan(), Network(), [watcher("p0", ago(35), ago(1))], ["c0"], TODAY, gaps)
        if c.flow == FLOW
    ]
    assert (found.verdict, gaps[0] in found.reasons[0]) == ("not proven", True)


def test_what_a_file_still_has_is_not_gone() -> None:
    proof = (Evidence("erp-srv/crontab", 3),)
    seen = Network.of(
        [Node(id="c0"), Node(id="p0")], [Flow(consumer="c0", provider="p0", mode="batch", evidence=proof)]
    )
    found, why = verdict(plan(), seen)
    assert (found, why) == ("not proven", "it is still configured in erp-srv/crontab")


def test_a_known_caller_at_a_system_that_nobody_knows_may_be_at_the_old_one() -> None:
    seen = observed(ago(1).isoformat(), provider=Node(id="ssl"), mode="db")
    found, why = verdict(plan(), seen)
    assert (found, "c0 was seen at ssl, and whether that is p0 nobody says" in why) == ("not proven", True)
    assert verdict(plan(), observed(ago(1).isoformat(), provider=Node(id="c7"), mode="db"))[0] == "gone"


def test_an_alias_that_others_share_is_not_the_caller() -> None:
    before, after = Node(id="c0", aliases=("package:common",)), Node(id="x", aliases=("package:common",))
    assert verdict(plan(before), observed(ago(1).isoformat(), consumer=after))[0] == "gone"


@pytest.mark.parametrize(
    ("mode", "protocol", "sees", "result"),
    [
        ("db", None, "sync", "not proven"),
        ("db", None, "sync db", "gone"),
        ("file", "sftp", "sync", "not proven"),
        ("async", "kafka", "sync", "not proven"),
        ("async", "kafka", "async", "gone"),
        ("batch", "http", "sync", "gone"),
        ("batch", "sql", "sync", "not proven"),
        ("batch", "sql", "db", "gone"),
        ("batch", None, "sync", "not proven"),
        ("batch", None, "batch", "gone"),
        ("unknown", "http", "sync", "gone"),
        ("unknown", None, "sync", "not proven"),
        ("unknown", None, "any", "gone"),
    ],
)
def test_an_access_log_is_no_witness_of_who_reads_tables(
    mode: Mode, protocol: str | None, sees: str, result: str, tmp_path: Path
) -> None:
    flow = Flow(consumer="c0", provider="p0", object="order", mode=mode, protocol=protocol).id
    edge = {
        "flow": flow,
        "consumer": "c0",
        "provider": "p0",
        "object": "order",
        "mode": mode,
        "protocol": protocol,
    }
    exit_ = {"days": 35, "coverage": 0.99, "edges": [edge]}
    made: dict[str, Any] = {"items": [{"id": "r", "kind": "retire", "ledger": [flow], "exit": exit_}]}
    file = tmp_path / "observers.csv"
    file.write_text(f"provider,since,until,coverage,mode,silent\np0,{ago(70)},{ago(1)},1,{sees},yes\n")
    found, why = verdict(made, observers=tuple(read_observers(file)), flow=flow)
    assert found == result
    assert ("sees sync only" in why) == (result != "gone")
    edge.pop("protocol")  # a plan of before it was written
    assert verdict(made, observers=tuple(read_observers(file)), flow=flow)[0] == result
    exit_.pop("edges")  # a plan of other hands: the flow's id says the same
    assert verdict(made, observers=tuple(read_observers(file)), flow=flow)[0] == result


def test_a_blind_observer_does_not_take_from_one_who_sees() -> None:
    assert (
        verdict(plan(), observers=(watcher("p0", ago(35), ago(1)), Observer("p0", ago(35), ago(1))))[0]
        == "gone"
    )


def test_ids_with_marks_of_their_own_are_checked_as_they_are() -> None:
    flows = [Flow(consumer=f"c{i} > [x] (", provider="p [y] (z)", object="o", mode="db") for i in range(9)]
    ends = sorted({e for f in flows for e in (f.consumer, f.provider)})
    net = Network.of([Node(id=e) for e in ends], flows)
    made = as_json(make_plan(net, blueprint(net), START))
    who = watcher("p [y] (z)", ago(70), ago(1))
    assert {c.verdict for c in check(made, Network(), [who], [f.consumer for f in flows], TODAY)} == {"gone"}


def test_a_plan_without_edges_is_checked_by_the_ids_of_its_flows() -> None:
    made = plan()
    for item in (*made["items"], *made["beyond"]):
        item["exit"].pop("edges", None)
    assert verdict(made)[0] == "gone"
    assert verdict(made, observed(ago(1).isoformat(), object="invoice"))[0] == "not proven"


def test_another_form_is_told() -> None:
    with pytest.raises(PlanFileError):
        check({"no": "plan"}, Network(), [], [], START)


moments = st.integers(0, 200).map(lambda h: datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=h))


@settings(deadline=None)
@given(st.lists(st.tuples(moments, moments)), st.integers(1, 9))
def test_full_records_prove_the_hours_that_they_cover(
    spans: list[tuple[datetime, datetime]], days: int
) -> None:
    today = date(2026, 3, 10)
    end = datetime(2026, 3, 10, tzinfo=UTC)
    hours = [end - timedelta(hours=h) for h in range(1, days * 24 + 1)]
    covered = sum(any(s <= h and h + timedelta(hours=1) <= u for s, u in spans) for h in hours)
    found = watched([watcher("p", s, u) for s, u in spans], days, today)
    assert found.share == pytest.approx(covered / len(hours))


@settings(deadline=None)
@given(st.lists(st.tuples(moments, moments, st.floats(0, 1))), st.integers(1, 9))
def test_a_record_never_proves_more_than_its_worst_outage_leaves(
    spans: list[tuple[datetime, datetime, float]], days: int
) -> None:
    today = date(2026, 3, 10)
    found = watched([watcher("p", s, u, c) for s, u, c in spans], days, today)
    full = watched([watcher("p", s, u) for s, u, _ in spans], days, today)
    assert 0 <= found.share <= full.share + 1e-9 <= 1 + 2e-9


def test_observers_are_read_with_days_and_with_times(tmp_path: Path) -> None:
    file = tmp_path / "observers.csv"
    file.write_text(
        "provider,since,until,coverage\nerp,2026-03-01,2026-03-09,\nerp,2026-03-10T06:00:00Z,2026-03-11T00:00:00Z,0.5\n"
    )
    first, second = read_observers(file)
    assert (first.coverage, first.since) == (1.0, date(2026, 3, 1))
    assert second.since == datetime(2026, 3, 10, 6, tzinfo=UTC)
    for wrong in (
        "provider,since,until,silent\nerp,2026-03-01,2026-03-02,perhaps\n",
        "provider,since\nerp,2026-03-01\n",
        "provider,since,until,coverage\nerp,2026-03-01,2026-03-02,7\n",
        "since,until,provider\n2026-03-01,2026-03-02\n",
        "provider,since,until\nerp,2026-03-05,2026-03-02\n",
        "provider,since,until\nerp,2026-03-01,yesterday\n",
        "provider,since,until,mode\nerp,2026-03-01,2026-03-02,http\n",
        "provider,since,until,mode\nerp,2026-03-01,2026-03-02,unknown\n",
    ):
        file.write_text(wrong)
        with pytest.raises(PlanFileError):
            read_observers(file)
    file.write_text("provider,since,until\n erp ,2026-03-01, 2026-03-09\n,,\n")
    assert [(o.provider, o.modes) for o in read_observers(file)] == [("erp", {"sync"})]
    file.write_text("provider,since,until,mode\nerp,2026-03-01,2026-03-09,DB; file\n")
    assert [o.modes for o in read_observers(file)] == [{"db", "file"}]


def logged(tmp_path: Path, *calls: tuple[int, int, str]) -> Network:
    """The map of the provider's log with these calls: days ago, status, caller."""
    path = tmp_path / "p0.access.log"
    path.write_text(
        "".join(
            f'10.0.0.1 - {who} [{ago(days):%d/%b/%Y}:06:00:00 +0000] "GET /order HTTP/1.1" {status} 5 "-" "-"\n'
            for days, status, who in calls
        )
    )
    return map_folders([path]).network


def sync_plan() -> dict[str, Any]:
    flows = [
        Flow(consumer=f"c{i}", provider="p0", object="/order", mode="sync", protocol="http") for i in range(8)
    ]
    net = Network.of([Node(id="p0"), *(Node(id=f"c{i}") for i in range(8))], flows)
    return as_json(make_plan(net, blueprint(net), START))


SYNC = "c0 > p0 [/order] (sync/http)"
OTHER = (3, 200, "c1")
"""Somebody else's call, so that the log is known to see any."""


def checked(seen: Network, revoked: tuple[str, ...] = ("c0",)) -> Checked:
    watching = (watcher("p0", ago(40), ago(0), 1.0, "sync"),)
    return {c.flow: c for c in check(sync_plan(), seen, watching, revoked, TODAY)}[SYNC]


@pytest.mark.parametrize("status", [401, 403])
def test_a_call_that_was_refused_is_no_use_and_is_told(tmp_path: Path, status: int) -> None:
    found = checked(logged(tmp_path, OTHER, (5, status, "c0"), (2, status, "c0")))
    assert found.verdict == "gone"
    assert found.refused == (f"refused 2 times, last at {ago(2)}T06:00:00Z, by c0 (p0.access.log)",)


def test_refusals_alone_prove_no_revoked_credential(tmp_path: Path) -> None:
    found = checked(logged(tmp_path, OTHER, (2, 401, "c0")), revoked=())
    assert found.verdict == "not proven"
    assert found.refused


@pytest.mark.parametrize("status", [200, 302, 404, 429, 500, 503])
def test_any_other_answer_is_use(tmp_path: Path, status: int) -> None:
    found = checked(logged(tmp_path, OTHER, (9, status, "c0"), (2, 401, "c0")))
    assert found.verdict == "still used"
    assert str(ago(9)) in found.reasons[0]
    assert len(found.refused) == 1


def test_a_call_that_was_answered_before_the_window_is_none_within(tmp_path: Path) -> None:
    assert checked(logged(tmp_path, OTHER, (50, 200, "c0"), (2, 401, "c0"))).verdict == "gone"


def test_refused_in_one_log_is_use_in_the_other(tmp_path: Path) -> None:
    refused = logged(tmp_path, OTHER, (2, 401, "c0"))
    other = observed(f"{ago(4)}T00:00:00Z", object="/order", protocol="http")
    for both in (refused.merge(other), other.merge(refused)):
        assert checked(both).verdict == "still used"


def test_somebody_unknown_who_is_refused_is_told_and_no_doubt(tmp_path: Path) -> None:
    found = checked(logged(tmp_path, OTHER, (2, 403, "-")))
    assert found.verdict == "gone"
    assert "who that is nobody says" in found.refused[0]
    answered = checked(logged(tmp_path, OTHER, (2, 200, "-"), (1, 403, "-")))
    assert answered.verdict == "not proven"


def test_refusals_of_another_object_or_of_long_ago_are_not_told(tmp_path: Path) -> None:
    assert checked(logged(tmp_path, OTHER, (60, 401, "c0"))).refused == ()
