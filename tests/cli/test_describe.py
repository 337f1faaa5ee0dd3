"""The network of an app, as text, JSON and pictures."""

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.started import levada

from levada.network.view import from_map

CONTRACTS = '''
from abc import abstractmethod
from levada import Event, OrderKey, ProcessAPI, SystemAPI, http

class Stock(SystemAPI, domain="shop", version="1.0"):
    """What can be <sold> & kept."""
    @http.get("/items/{item}")
    @abstractmethod
    async def available(self, item: str) -> int: ...

class Billing(SystemAPI, domain="finance", version="2.1"):
    """Bills."""
    @http.get("/bills/{order}")
    @abstractmethod
    async def bill(self, order: str) -> str: ...

class Placed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]

class Paid(Event, version="1.0", domain="shop"):
    order: OrderKey[str]

class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""
    @http.post("/orders", status=202)
    @abstractmethod
    async def place(self, order: str) -> None: ...
'''
PARTS = '''
from levada import Awaits, ExperienceAPI, Mobile, Publishes, handles, http, resource
from app.contracts import Billing, Orders, Paid, Placed, Stock

class ErpStock(Stock):
    db: object = resource("erp")
    async def available(self, item: str) -> int:
        return 1

class Fulfilment(Orders):
    stock: Stock
    billing: Billing
    placed: Publishes[Placed]
    paid: Awaits[Paid]
    async def place(self, order: str) -> None:
        await self.placed(Placed(order=order))
    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        await self.stock.available(placed.order)

class Front(ExperienceAPI, domain="shop", version="1.0", channels=[Mobile()]):
    """The shop's front."""
    orders: Orders
    stock: Stock
    @http.get("/there/{item}")
    async def there(self, item: str) -> bool:
        return await self.stock.available(item) > 0
'''
TOML = """
[app]
modules = ["app"]
owner = "shop team"
[bind]
"finance/Billing/v2" = { url = "https://billing.example/", auth = "bearer:env:NOT_SET" }
[resources.erp]
url = "env:NOT_SET_EITHER"
kind = "sql"
[identity]
secret = "env:NOT_SET_AT_ALL"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__init__.py").write_text("")
    (tmp_path / "app" / "contracts.py").write_text(CONTRACTS)
    (tmp_path / "app" / "parts.py").write_text(PARTS)
    (tmp_path / "levada.toml").write_text(TOML)
    return tmp_path


def described(project: Path, *arguments: str) -> str:
    done = levada(project, "describe", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_json_is_a_network_and_no_secret_is_needed(project: Path):
    network = from_map(json.loads(described(project, "--format", "json")))
    assert {i: (n.kind, n.layer) for i, n in network.nodes.items()} == {
        "shop/Front/v1": ("api", "experience"),
        "shop/Orders/v1": ("api", "process"),
        "shop/Stock/v1": ("api", "system"),
        "finance/Billing/v2": ("api", "system"),
        "shop.Placed.v1": ("event", None),
        "shop.Paid.v1": ("event", None),
        "resource:erp": ("db", None),
        "channel:Front/mobile": ("channel", None),
    }
    assert {(f.consumer, f.provider): f.attributes["relations"] for f in network.flows.values()} == {
        ("shop/Front/v1", "shop/Orders/v1"): ["calls"],
        ("shop/Front/v1", "shop/Stock/v1"): ["calls"],
        ("shop/Orders/v1", "shop/Stock/v1"): ["calls"],
        ("shop/Orders/v1", "finance/Billing/v2"): ["calls"],
        ("shop.Placed.v1", "shop/Orders/v1"): ["publishes"],
        ("shop/Orders/v1", "shop.Placed.v1"): ["handles"],
        ("shop/Orders/v1", "shop.Paid.v1"): ["awaits"],
        ("shop/Stock/v1", "resource:erp"): ["uses"],
        ("channel:Front/mobile", "shop/Front/v1"): ["serves"],
    }
    calls = {(f.consumer, f.provider): f for f in network.flows.values()}
    assert calls["shop/Front/v1", "shop/Stock/v1"].attributes["operations"] == ["available"]
    assert calls["shop/Orders/v1", "finance/Billing/v2"].protocol == "http"
    (evidence,) = network.nodes["shop/Orders/v1"].evidence
    assert (evidence.source, evidence.line is not None) == ("app/parts.py", True)


def test_the_tree_says_what_each_api_does(project: Path):
    tree = described(project)
    for line in (
        "shop/Orders/v1  1.0 by app.parts:Fulfilment",
        "finance/Billing/v2  2.1 at https://billing.example",
        "publishes shop.Placed.v1",
        "handles shop.Placed.v1 in fulfil",
        "calls finance/Billing/v2 over http",
        "uses erp (sql)",
        "serves mobile",
    ):
        assert line in tree


def test_mermaid_names_each_node_once(project: Path):
    text = described(project, "--format", "mermaid")
    assert text.startswith("flowchart TB\n")
    declared = re.findall(r"^\s*(n\d+)[\[({]", text, re.MULTILINE)
    assert len(declared) == len(set(declared)) == 8
    assert set(re.findall(r"\bn\d+\b", text)) == set(declared)


def test_the_picture_is_well_formed_and_boxes_do_not_overlap(project: Path, tmp_path: Path):
    described(project, "--format", "svg", "--out", str(tmp_path / "network.svg"))
    root = ElementTree.parse(tmp_path / "network.svg").getroot()
    ns = {"s": "http://www.w3.org/2000/svg"}
    boxes = [
        r
        for r in root.iter("{http://www.w3.org/2000/svg}rect")
        if (r.get("class") or "").split()[0] in ("box", "pill")
    ]
    assert len(boxes) == 8
    assert len(root.findall(".//s:path[@marker-end]", ns) + root.findall(".//s:path[@marker-start]", ns)) == 9
    placed = [tuple(float(b.get(k) or 0) for k in ("x", "y", "width", "height")) for b in boxes]
    for number, (x, y, w, h) in enumerate(placed):
        for x2, y2, w2, h2 in placed[number + 1 :]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    _, _, width, height = map(float, (root.get("viewBox") or "").split())
    assert all(x >= 0 and x + w <= width and y >= 0 and y + h <= height for x, y, w, h in placed)


def test_a_configuration_that_is_not_there_is_said_with_what_to_do(tmp_path: Path):
    done = levada(tmp_path, "describe")
    assert done.returncode == 2
    assert "levada new" in done.stderr


def test_the_documents_of_an_api_are_those_that_are_served(project: Path):
    made = json.loads(described(project, "--format", "openapi", "--api", "shop/Orders/v1"))
    assert made["openapi"].startswith("3.1")
    assert (made["servers"], list(made["paths"])) == ([{"url": "/shop/orders/v1"}], ["/orders"])
    described(project, "--format", "asyncapi", "--out", "events.json")  # of the only API that has events
    events = json.loads((project / "events.json").read_text())
    assert events["asyncapi"].startswith("3.0")
    served = subprocess.run(
        [sys.executable, "-c", SERVED], cwd=project, capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert json.loads(served) == [made, events]


SERVED = """
import asyncio, json, sys
sys.path.insert(0, ".")
from app.parts import ErpStock, Fulfilment, Front
from levada import App

app = App(ErpStock, Fulfilment, Front, bind={"finance/Billing/v2": "https://b.example"}, resources={"erp": object()})

async def get(path):
    sent = []
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b"", "server": ("h", 1)}
    async def send(message): sent.append(message)
    await app(scope, None, send)
    return json.loads(sent[1]["body"])

async def both():
    return [await get(f"/shop/orders/v1/{name}.json") for name in ("openapi", "asyncapi")]

print(json.dumps(asyncio.run(both())))
"""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--format", "openapi"), "shop/Front/v1, shop/Orders/v1, shop/Stock/v1"),
        (("--format", "openapi", "--api", "shop/Order/v1"), "shop/Order/v1"),
        (("--format", "asyncapi", "--api", "shop/Front/v1"), "shop/Orders/v1"),
    ],
)
def test_which_api_is_asked_for_where_it_is_not_clear(project: Path, arguments, said):
    done = levada(project, "describe", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("LV1830 ")
    assert said in done.stderr
