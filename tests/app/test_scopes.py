"""Who may what: every set of scopes at every operation, through three layers, in every arrangement."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

from levada.app import Caller
from levada.app.context import Context, _current
from levada.contract.standard import Forbidden

FILE = Path(__file__).with_name("scoped.py")
_spec = importlib.util.spec_from_file_location("scoped", FILE)
scoped = importlib.util.module_from_spec(_spec)
sys.modules["scoped"] = scoped
_spec.loader.exec_module(scoped)

NEEDS = {"free": set(), "a": {"a"}, "b": {"b"}, "ab": {"a", "b"}}
HELD = [set(), {"a"}, {"b"}, {"a", "b"}, {"c"}, {"a", "b", "c"}]
VAULT, CLERK = "bank/Vault/v1", "bank/Clerk/v1"


@pytest.fixture(scope="module", params=["one process", "each its own", "mixed"])
def arrangement(request):
    """(parts in this process, bindings of it)."""
    running = []

    def away(parts, bind):
        command = [sys.executable, str(FILE), json.dumps(parts), json.dumps(bind)]
        started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        running.append(started)
        return f"http://127.0.0.1:{started.stdout.readline().strip()}"

    try:
        if request.param == "one process":
            yield ["vault", "clerk", "desk"], {}
        elif request.param == "mixed":
            yield ["clerk", "desk"], {VAULT: away(["vault"], {})}
        else:
            yield ["desk"], {CLERK: away(["clerk"], {VAULT: away(["vault"], {})})}
    finally:
        for each in running:
            each.terminate()
        for each in running:
            assert each.wait(10) is not None
            each.stdout.close()


async def test_only_a_caller_with_all_scopes_of_all_layers_comes_through(arrangement):
    parts, bind = arrangement
    tried = allowed = 0
    async with scoped.build(parts, bind) as app:
        desk = app[scoped.Desk]
        for held, counter, clerk, door in itertools.product(HELD, ("free", "b"), ("free", "a"), NEEDS):
            caller = Caller(subject="anna", scopes=frozenset(held), environment="test", method="oidc")
            token = _current.set(Context(caller=caller))
            ask = desk.b if counter == "b" else desk.free
            needs = NEEDS[counter] | NEEDS[clerk] | NEEDS[door]
            try:
                if needs <= held:
                    assert await ask(clerk, door) == door
                    allowed += 1
                else:
                    with pytest.raises(Forbidden):
                        await ask(clerk, door)
            finally:
                _current.reset(token)
            tried += 1
    assert (tried, allowed) == (96, 42)
