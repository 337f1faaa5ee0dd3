"""``levada doctor`` on a deployment in which something does not go on: what, and the command that resolves it."""

import asyncio
import json
import shlex
import urllib.request

from levada.store import Statement, Unit, open_store

BROKEN = '''
from levada import Event, OrderKey, ProcessAPI, Publishes, handles, http


class Placed(Event, version="1.0", domain="shop"):
    order: OrderKey[str]


class Orders(ProcessAPI, domain="shop", version="1.0"):
    """Orders."""

    placed: Publishes[Placed]

    @http.post("/orders/{order}", status=202)
    async def place(self, order: str) -> None:
        await self.placed(Placed(order=order))

    @handles(Placed)
    async def fulfil(self, placed: Placed) -> None:
        raise ValueError("no shelf")
'''


def doctor(deployment, *arguments):
    done = deployment.levada("doctor", "--json", *arguments)
    return done.returncode, {check["name"]: check for check in json.loads(done.stdout)}


def stuck(deployment):
    return json.loads(deployment.levada("runs", "list", "--state", "stuck", "--json").stdout)


def test_a_stuck_run_and_its_missing_code(deployment):
    (deployment.folder / "shopapp.py").write_text(BROKEN)
    ready = deployment.start()
    code, checks = doctor(deployment)
    assert (code, checks["Runs"]["state"], checks["Events"]["state"], checks["Code"]["state"]) == (
        0,
        *["ok"] * 3,
    )
    asked = urllib.request.Request(f"{ready['url']}/shop/orders/v1/orders/o-1", b"", method="POST")
    with urllib.request.urlopen(asked, timeout=10) as answer:
        assert answer.status == 202
    deployment.until(lambda: stuck(deployment))
    (run,) = stuck(deployment)

    for running in (True, False):
        code, checks = doctor(deployment)
        assert (code, checks["Runs"]["state"]) == (3, "failed"), running
        assert "no shelf" in checks["Runs"]["found"]
        assert f"levada runs show {run['id']} " in checks["Runs"]["mend"]
        assert checks["Code"]["state"] == "ok"
        deployment.end()

    (deployment.folder / "shopapp.py").write_text(BROKEN.replace("def fulfil", "def ship"))
    refused = deployment.levada("run")
    assert (refused.returncode, refused.stderr[:6]) == (1, "LV1509")
    code, checks = doctor(deployment)
    assert (code, checks["Code"]["state"]) == (3, "failed")
    assert "shop/Orders.v1/fulfil/1 (1)" in checks["Code"]["found"]
    assert "call it fulfil again" in checks["Code"]["mend"].replace("\n", " ")
    checked = deployment.levada("runs", "check", "--json")
    assert (checked.returncode, "call it fulfil again" in checked.stdout) == (3, True)
    assert "call it fulfil again" in refused.stderr

    assert deployment.levada("runs", "skip", run["id"], "--why", "not wanted").returncode == 0
    code, checks = doctor(deployment)
    assert (code, checks["Runs"]["state"], checks["Code"]["state"]) == (0, "ok", "ok")


def test_a_parked_event(deployment):
    url = f"sqlite:{deployment.folder}/levada.db"

    async def park():
        store = await open_store(url)
        row = {
            "id": "p-1", "subscription": "shop/Orders/v1/fulfil", "generation": 1, "again": 0, "event_id": "e-1",
            "key": "o-1", "topic": "shop.Placed.v1", "part": 0, "pos": 1, "state": "parked", "reason": "unreadable",
            "detail": "", "attempts": 1, "delay": 0, "appended": 1, "head": b"{}", "data": b"{}", "format": "",
        }  # fmt: skip
        assert (await store.commit(Unit([Statement("parked.add", row, 1)]))).committed
        await store.close()

    asyncio.run(park())
    code, checks = doctor(deployment, "--config", str(deployment.folder))
    assert (code, checks["Events"]["state"]) == (3, "failed")
    assert "shop/Orders/v1/fulfil" in checks["Events"]["found"]
    verb = checks["Events"]["mend"].partition(",")[0]
    assert verb == f"levada events resume p-1 --config {deployment.folder}"
    assert deployment.levada(*shlex.split(verb)[1:]).returncode == 0
    code, checks = doctor(deployment)
    assert (code, checks["Events"]["state"]) == (0, "ok")
