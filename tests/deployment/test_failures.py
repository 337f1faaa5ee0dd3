"""A call that fails in a real deployment: its caller has the trace, the log and the run have the cause."""

import json
import urllib.error
import urllib.request

import pytest

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"

FAILS = '''
import logging
from abc import abstractmethod

from levada import Event, OrderKey, Personal, ProcessAPI, Publishes, SystemAPI, effect, handles, http


class Ledger(SystemAPI, domain="shop", version="1.0"):
    """The ledger."""

    @http.post("/entries/{order}", final=True)
    @abstractmethod
    async def book(self, order: str, name: str) -> str: ...


class Paper(Ledger):
    @effect.passes_key
    async def book(self, order: str, name: str) -> str:
        raise ValueError(f"no page for {order} of {name}")


class Placed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]
    name: PERSONAL


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    ledger: Ledger
    placed: Publishes[Placed]

    @http.post("/orders/{order}", status=202)
    async def place(self, order: str, name: str) -> None:
        await self.placed(Placed(order=order, name=name))

    @http.post("/direct/{order}")
    async def direct(self, order: str, name: str) -> str:
        return await self.ledger.book(order, name)

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        logging.getLogger("shop").info("fulfilling")
        await self.ledger.book(placed.order, placed.name)
'''


def post(url: str) -> tuple[int, bytes]:
    asked = urllib.request.Request(
        url, b'{"name": "Anna Amann"}',
        {"content-type": "application/json", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
    )  # fmt: skip
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


@pytest.mark.parametrize(("personal", "name"), [("str", "Anna Amann"), ('Personal[str, "order"]', "•••")])
def test_the_operator_finds_the_cause_under_the_trace(deployment, personal, name):
    (deployment.folder / "shopapp.py").write_text(FAILS.replace("PERSONAL", personal))
    ready = deployment.start()
    status, body = post(f"{ready['url']}/shop/orders/v1/direct/o-0")
    assert (status, json.loads(body)["trace"]) == (500, TRACE)
    assert b"page" not in body
    assert post(f"{ready['url']}/shop/orders/v1/orders/o-1")[0] == 202

    def tried():
        runs = json.loads(deployment.levada("runs", "list", "--json").stdout)
        shown = [json.loads(deployment.levada("runs", "show", run["id"], "--json").stdout) for run in runs]
        return [run for run in shown if any(step["said"] for step in run["root"]["steps"])]

    deployment.until(tried)
    (run,) = tried()
    assert run["trace"] == TRACE
    (step,) = run["root"]["steps"]
    assert step["said"] == f"ValueError: no page for o-1 of {name} (internal-error, shopapp.py:19)"
    plain = deployment.levada("runs", "show", run["id"]).stdout
    assert f"trace {TRACE}" in plain

    lines = [json.loads(line) for line in (deployment.folder / "log.txt").read_text().splitlines()]
    direct = [line for line in lines if line["event"] == "call_failed" and "run" not in line]
    assert {(line["trace"], line["operation"]) for line in direct} >= {(TRACE, "shop/Ledger/v1.book")}
    of_step = next(line for line in lines if line["event"] == "call_failed" and "run" in line)
    assert (of_step["trace"], of_step["run"], of_step["step"]) == (TRACE, run["id"], step["id"])
    of_code = next(line for line in lines if line["logger"] == "shop")
    assert (of_code["trace"], of_code["run"]) == (TRACE, run["id"])
