"""``levada up``: the real Envoy before real workers."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from tests import started

APP = '''
import os

from levada import ExperienceAPI, http


class Front(ExperienceAPI, domain="shop", version="1.0"):
    """Front."""

    @http.get("/who")
    async def who(self) -> int:
        """Which process answers."""
        return os.getpid()
'''
TOML = """[app]
modules = ["front"]
[gateway]
port = 0
[plans.gold]
rate = "100000/min"
"""


@pytest.fixture
def up(tmp_path):
    try:
        import envoy  # noqa: F401 - is it here?
    except ImportError:
        if os.environ.get("CI"):
            raise
        pytest.skip("the extra gateway is not installed")
    (tmp_path / "front.py").write_text(APP)
    (tmp_path / "levada.toml").write_text(TOML)
    process = subprocess.Popen(
        [sys.executable, "-m", "levada", "up", "--json", "--workers", "2"],
        cwd=tmp_path, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    yield tmp_path, json.loads(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    process.stdout.close()


def get(url, key=None):
    asked = urllib.request.Request(url, headers={"x-api-key": key} if key else {})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


def until(condition, seconds=20):
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


@pytest.mark.slow
def test_keys_open_and_shut_the_door_and_a_killed_worker_is_not_missed(up):
    folder, ready = up

    def levada(*arguments):
        done = started.levada(folder, *arguments, "--json")
        done.check_returncode()
        return json.loads(done.stdout)

    url = f"{ready['url']}/shop/front/v1/who"
    assert get(url)[0] == 401
    made = levada("keys", "create", "--consumer", "acme", "--product", "shop/Front/v1", "--plan", "gold")
    until(lambda: get(url, made["key"])[0] == 200)
    assert levada("gateway", "status")["running"]
    _, pid = get(url, made["key"])
    os.kill(pid, signal.SIGKILL)
    until(lambda: len({get(url, made["key"])[1] for _ in range(20)} - {pid, None}) == 2)
    levada("keys", "revoke", made["id"], "--why", "lost")
    until(lambda: get(url, made["key"])[0] == 401)
