"""Who may do what: every role and every action, and the second person in production."""

import itertools

import pytest

from levada.app.errors import ConfigurationError
from levada.deployment.admin import Admin, AdminError
from levada.deployment.roles import MAY, ROLES, SECOND, RequestUnknown, RoleMissing, Roles, SamePerson
from levada.events import ParkedUnknown
from levada.process.admin import RunNotFound
from levada.store import open_store

READS = (
    "runs.list runs.show runs.counts runs.forms runs.unclaimed events.topics events.tail events.subscriptions"
)
READS += " events.parked events.explain calls.read gateway.status keys.list requests.list"
RUNS = "runs.resume runs.answer runs.compensate runs.skip events.resume events.skip events.pause events.continue events.replay"
EXPECTED = {
    "viewer": READS,
    "developer": READS,
    "auditor": f"{READS} audit.list audit.verify",
    "operator": f"{READS} {RUNS} audit.list audit.verify requests.approve requests.refuse",
    "owner": f"{READS} audit.list audit.verify keys.create keys.rotate keys.revoke requests.approve"
    " requests.refuse subjects.export subjects.forget",
    "platform": " ".join(name for name in MAY if not name.endswith("--reveal")),
}


def allowed(roles: Roles, who: str, action: str, domain: str | None) -> bool:
    try:
        roles.check(who, action, domain)
    except RoleMissing:
        return False
    return True


@pytest.mark.parametrize(
    ("role", "action"), list(itertools.product(ROLES, [a for a in MAY if "reveal" not in a]))
)
def test_each_role_may_do_its_own_and_nothing_else_in_production(role, action):
    roles = Roles({"anna": [f"{role}@sales"]}, "production", owner="deploy")
    assert allowed(roles, "anna", action, "sales") == (action in EXPECTED[role].split())
    assert not allowed(roles, "anna", action, "finance")
    assert not allowed(roles, "nobody", action, "sales")
    assert allowed(roles, "deploy", action, "finance")


def test_a_developer_operates_outside_production_alone():
    for environment, may in (("development", True), ("test", True), ("production", False)):
        roles = Roles({"dev": ["developer"]}, environment, owner="deploy")
        assert allowed(roles, "dev", "runs.resume", "sales") is may
        assert not allowed(roles, "dev", "keys.create", "sales")


def test_an_action_that_the_table_forgot_is_for_platform_alone():
    roles = Roles({"op": ["operator"], "pf": ["platform"]}, "production", owner="deploy")
    assert (allowed(roles, "op", "new.action", None), allowed(roles, "pf", "new.action", None)) == (
        False,
        True,
    )


async def test_every_action_of_the_admin_stands_in_the_table():
    store = await open_store("sqlite::memory:")
    try:
        assert set(Admin(store).actions) <= set(MAY)
    finally:
        await store.close()


def test_a_role_that_is_none_is_an_error_with_the_place():
    with pytest.raises(ConfigurationError, match=r"\[roles\] anna.*'boss'"):
        Roles({"anna": ["boss"]}, "production")


@pytest.fixture
async def admin():
    store = await open_store("sqlite::memory:")
    roles = Roles(
        {"anna": ["operator"], "ben": ["operator"], "cleo": ["viewer"]}, "production", owner="deploy"
    )
    admin = Admin(store, roles)
    await admin.log.create("sales.OrderPlaced.v1")
    await admin.events.subscriptions.declare("sales/Orders/v1/fulfil", ["sales.OrderPlaced.v1"])
    done = []

    async def skipped(id, why, *, also):
        from levada.store.protocol import Unit

        done.append((id, why))
        assert (await store.commit(Unit(also))).committed

    async def tried(id, why, *, also): ...

    admin._changes["events.skip"] = skipped
    admin._trying()._changes["events.skip"] = tried
    admin.done = done
    yield admin
    await store.close()


async def test_what_loses_something_is_done_when_another_person_approves(admin):
    asked = await admin.do("events.skip", {"id": "sales/x:1", "why": "a test"}, who="anna")
    assert admin.done == []
    (request,) = await admin.do("requests.list", {}, who="cleo")
    assert (request["id"], request["who"], request["arguments"]) == (
        asked["asked"],
        "anna",
        {"id": "sales/x:1"},
    )
    with pytest.raises(SamePerson, match="anna"):
        await admin.do("requests.approve", {"id": asked["asked"]}, who="anna")
    with pytest.raises(RoleMissing, match="cleo"):
        await admin.do("requests.approve", {"id": asked["asked"]}, who="cleo")
    assert admin.done == []
    await admin.do("requests.approve", {"id": asked["asked"]}, who="ben")
    assert len(admin.done) == 1
    with pytest.raises(RequestUnknown):
        await admin.do("requests.approve", {"id": asked["asked"]}, who="ben")
    rows = await admin.do("audit.list", {}, who="deploy")
    assert [(r["who"], r["action"]) for r in rows] == [("anna", "events.skip asked"), ("ben", "events.skip")]
    assert "asked by anna" in rows[1]["why"]


async def test_a_request_needs_a_reason_and_can_be_refused(admin):
    with pytest.raises(AdminError, match="reason"):
        await admin.do("events.skip", {"id": "sales/x:1", "why": " "}, who="anna")
    asked = await admin.do("events.skip", {"id": "sales/x:1", "why": "a test"}, who="anna")
    await admin.do("requests.refuse", {"id": asked["asked"], "why": "no"}, who="deploy")
    with pytest.raises(RequestUnknown):
        await admin.do("requests.approve", {"id": asked["asked"]}, who="ben")
    assert admin.done == []


async def test_what_cannot_be_done_is_refused_before_anybody_is_asked():
    store = await open_store("sqlite::memory:")
    try:
        admin = Admin(store, Roles({"anna": ["operator"]}, "production"))
        with pytest.raises(ParkedUnknown, match="sales/x:1"):
            await admin.do("events.skip", {"id": "sales/x:1", "why": "a test"}, who="anna")
        with pytest.raises(RunNotFound, match="r-1"):
            await admin.do("runs.skip", {"run": "r-1", "why": "a test"}, who="anna")
        assert await admin.do("requests.list", {}, who="anna") == []
        assert await admin.do("audit.list", {}, who="anna") == []
    finally:
        await store.close()


async def test_a_request_that_could_not_be_done_stays_open(admin):
    async def fails(id, why, *, also):
        raise AdminError(reason="not now.", mend="later.")

    asked = await admin.do("events.skip", {"id": "sales/x:1", "why": "a test"}, who="anna")
    admin._changes["events.skip"] = fails
    with pytest.raises(AdminError, match="not now"):
        await admin.do("requests.approve", {"id": asked["asked"]}, who="ben")
    assert len(await admin.do("requests.list", {}, who="cleo")) == 1


def test_no_second_person_is_needed_elsewhere_or_where_nobody_is_named():
    named = {"anna": ["operator"]}
    for action in SECOND:
        assert Roles(named, "production").needs_second(action)
        assert not Roles(named, "test").needs_second(action)
        assert not Roles({}, "production").needs_second(action)
    assert not Roles(named, "production").needs_second("runs.resume")


async def test_a_role_in_one_domain_sees_that_domain_in_lists(admin):
    await admin.log.create("finance.Paid.v1")
    await admin.events.subscriptions.declare("finance/Ledger/v1/book", ["finance.Paid.v1"])
    admin.roles = Roles({"dora": ["viewer@sales"]}, "production", owner="deploy")
    assert [s["subscription"]["name"] for s in await admin.do("events.subscriptions", {}, who="dora")] == [
        "sales/Orders/v1/fulfil"
    ]
    assert [t["name"] for t in await admin.do("events.topics", {}, who="dora")] == ["sales.OrderPlaced.v1"]
    assert len(await admin.do("events.topics", {}, who="deploy")) == 2
    with pytest.raises(RoleMissing, match="finance"):
        await admin.do("events.tail", {"topic": "finance.Paid.v1"}, who="dora")


async def test_a_role_in_one_domain_sees_the_requests_of_that_domain(admin):
    await admin.do("events.skip", {"id": "sales/x:1", "why": "a test"}, who="deploy")
    await admin.do("events.skip", {"id": "finance/x:1", "why": "a secret"}, who="deploy")
    await admin.do("subjects.forget", {"subject": "customer=c-1", "why": "c-1 asked"}, who="deploy")
    admin.roles = Roles({"dora": ["viewer@sales"]}, "production", owner="deploy")
    shown = await admin.do("requests.list", {}, who="dora")
    assert [r["arguments"]["id"] for r in shown] == ["sales/x:1"]
    assert len(await admin.do("requests.list", {}, who="deploy")) == 3


async def test_an_approval_that_says_too_little_or_too_much_is_refused_with_a_reason(admin):
    for arguments in ({}, {"id": "x", "other": 1}):
        with pytest.raises(AdminError, match="does not take that"):
            await admin.do("requests.approve", arguments, who="ben")
    asked = await admin.do("events.skip", {"id": "sales/x:1", "why": "a test"}, who="anna")
    with pytest.raises(SamePerson):
        await admin.do("requests.approve", {"id": asked["asked"], "who": "ben"}, who="anna")
