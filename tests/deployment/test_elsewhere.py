"""Two deployments, each under a `levada run` of its own: who is let in, and what is said where one is not."""

import json
import urllib.error
import urllib.request
from abc import abstractmethod

import pytest
from tests.deployment.conftest import Deployment, until

from levada import App, Caller, ProcessAPI, SystemAPI, http
from levada.contract import contract_of
from levada.contract.standard import Unauthorized
from levada.deployment._performer import ProxyPerformer
from levada.process._protocol import Attempt, Unknown
from levada.process._steps import Kind, Step

STOCK = '''
from abc import abstractmethod

from levada import SystemAPI, effect, http


class Stock(SystemAPI, domain="shop", version="1.0"):
    """The stock."""

    @http.post("/items/{item}/reservations", final=True)
    @abstractmethod
    async def reserve(self, item: str) -> str: ...


class Shelf(Stock):
    @effect.passes_key
    async def reserve(self, item: str) -> str:
        with open("reserved.txt", "a") as reserved:
            print(item, file=reserved)
        return item
'''

ORDERS = '''
from levada import Event, OrderKey, ProcessAPI, Publishes, handles, http
from stock import Stock


class Placed(Event, version="1.0", domain="shop"):
    item: OrderKey[str]


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    stock: Stock
    placed: Publishes[Placed]

    @http.post("/orders/{item}", status=202)
    async def place(self, item: str) -> None:
        await self.placed(Placed(item=item))

    @http.post("/direct/{item}")
    async def direct(self, item: str) -> str:
        return await self.stock.reserve(item)

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        await self.stock.reserve(placed.item)
'''

A, B = "a secret of two that is long enough for HS256", "another secret that is long enough for HS256, too"


@pytest.fixture
def two(tmp_path):
    for name in ("stock", "orders"):
        (tmp_path / name).mkdir()
    made = Deployment(tmp_path / "stock"), Deployment(tmp_path / "orders")

    def start(
        provider: str | None, consumer: str | None, *, more: str = ""
    ) -> tuple[Deployment, Deployment, str]:
        stock, orders = made
        for one, secret in ((stock, provider), (orders, consumer)):
            (one.folder / "stock.py").write_text(STOCK)
            (one.folder / "secret").write_text(secret or "")
            identity = '[identity]\nsecret = "file:secret"\n' if secret else ""
            module = "stock" if one is stock else "orders"
            toml = f'[app]\nmodules = ["{module}"]\n{identity}[server]\nport = 0\nlease = 1.0\n'
            (one.folder / "levada.toml").write_text(toml)
        (orders.folder / "orders.py").write_text(ORDERS)
        with (stock.folder / "levada.toml").open("a") as out:
            out.write(more)
        there = stock.start()["url"]
        with (orders.folder / "levada.toml").open("a") as out:
            out.write(f'[bind]\n"shop/Stock/v1" = "{there}"\n')
        return stock, orders, orders.start()["url"]

    yield start
    for one in made:
        one.end()


class Between(SystemAPI, domain="shop", version="1.0"):
    """An API of this process, which asks one that is elsewhere."""

    @http.get("/item")
    @abstractmethod
    async def item(self) -> str: ...


class Refusing(Between):
    async def item(self) -> str:
        raise Unauthorized(reason="not let in")


class Asking(ProcessAPI, domain="shop", version="1.0"):
    """What a run asks."""

    between: Between

    @http.get("/item")
    async def item(self) -> str:
        return await self.between.item()


async def test_one_that_is_not_let_in_further_down_is_not_asked_for_an_hour():
    async with App(Refusing, Asking) as app:
        proxy = app[Asking]
        operation = contract_of(Asking).operations["item"]
        step = Step("/0", Kind.CALL, "item", b"", (proxy, operation, (), Caller()))
        attempt = Attempt(
            run="r", key="k", number=1, repeated=False, deadline=0, timeout=5.0, fence=1, initiator="", traceparent=""
        )  # fmt: skip
        assert await ProxyPerformer().perform(step, attempt) == Unknown("not let in", lasting=True)


def post(url: str) -> int:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, b"", method="POST"), timeout=20) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def runs(deployment):
    return json.loads(deployment.levada("runs", "list", "--json").stdout)


def service(deployment):
    checks = json.loads(deployment.levada("doctor", "--json").stdout)
    return next(check for check in checks if check["name"] == "Service shop/Stock/v1")


@pytest.mark.parametrize("secret", [None, A])
def test_what_the_page_says_is_enough(two, secret):
    stock, orders, url = two(secret, secret)
    assert service(orders)["state"] == "ok"
    assert post(f"{url}/shop/orders/v1/direct/cup") == 200
    assert post(f"{url}/shop/orders/v1/orders/pot") == 202
    until(lambda: [run["state"] for run in runs(orders)] == ["done"])
    assert (stock.folder / "reserved.txt").read_text().split() == ["cup", "pot"]


@pytest.mark.parametrize(
    ("provider", "consumer", "more", "said"),
    [
        (A, B, "", "State the same [identity] secret"),
        (None, B, "", "State the same [identity] secret"),
        (None, None, "anonymous = false\n", "No credential was sent"),
    ],
)
def test_one_that_is_not_let_in_is_told_so_and_asks_once(two, provider, consumer, more, said):
    _, orders, url = two(provider, consumer, more=more)
    found = service(orders)
    assert (found["state"], said in found["mend"]) == ("failed", True)
    assert post(f"{url}/shop/orders/v1/orders/pot") == 202
    until(lambda: [run["state"] for run in runs(orders)] == ["stuck"])
    (run,) = runs(orders)
    assert said in run["reason"]
    shown = json.loads(orders.levada("runs", "show", run["id"], "--json").stdout)
    assert [step["attempts"] for step in shown["root"]["steps"]] == [1]
    assert post(f"{url}/shop/orders/v1/direct/cup") == 500
    lines = [json.loads(line) for line in (orders.folder / "log.txt").read_text().splitlines()]
    refused = [line for line in lines if line["event"] == "not_let_in"]
    assert len(refused) == 2
    assert all(said in line["mend"] for line in refused)
