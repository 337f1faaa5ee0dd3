"""``levada.toml``: what it may not say, and where its paths begin."""

import sys
from pathlib import Path

import pytest

from levada.app.errors import ConfigurationError
from levada.deployment.build import build_app
from levada.deployment.configuration import identity_secret, implementations_in, load_configuration

APP = """
from abc import abstractmethod
from levada import SystemAPI, http

class Rooms(SystemAPI, domain="hotel", version="1.0"):
    "Rooms."
    @http.get("/rooms")
    @abstractmethod
    async def free(self) -> int: ...

class LedgerRooms(Rooms):
    async def free(self) -> int:
        return 3
"""


@pytest.fixture
def modules(monkeypatch):
    """What a test imports is forgotten again, and where it looked for it."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def read(folder: Path, text: str, encoding: str = "utf-8"):
    folder.mkdir(exist_ok=True)
    (folder / "levada.toml").write_bytes(text.encode(encoding))
    return load_configuration(folder / "levada.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[server]\nlease = 0",
        "[server]\ndeadline = 0",
        "[server]\ndrain = -1",
        "[server]\nbody_limit = 0",
        "[gateway]\nbody_limit = 0",
        "[retention]\nevents = -1",
        "[retention]\neffects = -0.5",
        '[eventlog]\nurl = "kafka://broker:9092"',
    ],
)
def test_what_no_deployment_can_keep_is_refused_when_it_is_read(tmp_path, text):
    section, key = text.split("]\n")[0][1:], text.split("\n")[1].split(" ")[0]
    with pytest.raises(ConfigurationError, match=rf"\$\.{section}\.{key}"):
        read(tmp_path, text)


def test_a_mark_of_byte_order_is_no_part_of_the_file(tmp_path):
    assert read(tmp_path, '[app]\nowner = "Jörg"', "utf-8-sig").app.owner == "Jörg"


@pytest.mark.parametrize("secret", ["short", "x" * 31])
def test_a_secret_of_the_network_that_could_be_guessed_is_refused(tmp_path, monkeypatch, secret):
    monkeypatch.setenv("OF_THE_NETWORK", secret)
    configuration = read(tmp_path, '[identity]\nsecret = "env:OF_THE_NETWORK"')
    with pytest.raises(ConfigurationError, match="fewer than 32 characters") as refused:
        identity_secret(configuration)
    assert secret not in str(refused.value)
    monkeypatch.setenv("OF_THE_NETWORK", "x" * 32)
    assert identity_secret(configuration) == "x" * 32


PATHS = """
[identity]
secret = "file:secrets/network"
[gateway]
master = "file:/run/secrets/master"
[store]
url = "file:secrets/store"
[resources.warehouse]
url = "sqlite:warehouse.db?timeout=3"
[resources.alchemy]
url = "sqlite:///other.db"
[resources.memory]
url = "sqlite::memory:"
[resources.absolute]
url = "sqlite:/srv/w.db"
[resources.inbox]
url = "folder:in/box"
[resources.sftp]
url = "sftp://me@host/in"
known_hosts = "known_hosts"
password = "file:secrets/sftp"
[resources.trusting]
url = "sftp://me@host/in"
known_hosts = "off"
[resources.billing]
kind = "soap"
url = "billing.wsdl"
[resources.far]
kind = "soap"
url = "https://billing.example/?wsdl"
[resources.named]
url = "env:NAMED"
[resources.secret]
url = "env:SECRET"
[bind]
"a/A/v1" = "unix:run/a.sock"
"b/B/v1" = { url = "unix:run/b.sock", auth = "bearer:file:secrets/b" }
"c/C/v1" = { url = "https://c.example", auth = "api-key:env:C_KEY" }
"d/D/v1" = "shop.adapters:D"
"""


def test_paths_begin_where_the_file_lies_wherever_the_command_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAMED", "sqlite:named.db")
    monkeypatch.setenv("SECRET", "postgresql://me:word@host/db")
    read(tmp_path / "shop", PATHS)
    found = load_configuration(Path("shop"))
    assert found.identity.secret == "file:shop/secrets/network"
    assert found.gateway.master == "file:/run/secrets/master"
    assert found.store.url == "file:shop/secrets/store"
    assert {name: settings["url"] for name, settings in found.resources.items()} == {
        "warehouse": "sqlite:shop/warehouse.db?timeout=3",
        "alchemy": "sqlite:///shop/other.db",
        "memory": "sqlite::memory:",
        "absolute": "sqlite:/srv/w.db",
        "inbox": "folder:shop/in/box",
        "sftp": "sftp://me@host/in",
        "trusting": "sftp://me@host/in",
        "billing": "shop/billing.wsdl",
        "far": "https://billing.example/?wsdl",
        "named": "sqlite:shop/named.db",
        "secret": "env:SECRET",
    }
    assert found.resources["sftp"]["known_hosts"] == "shop/known_hosts"
    assert found.resources["sftp"]["password"] == "file:shop/secrets/sftp"
    assert found.resources["trusting"]["known_hosts"] == "off"
    assert found.bind == {
        "a/A/v1": "unix:shop/run/a.sock",
        "b/B/v1": {"url": "unix:shop/run/b.sock", "auth": "bearer:file:shop/secrets/b"},
        "c/C/v1": {"url": "https://c.example", "auth": "api-key:env:C_KEY"},
        "d/D/v1": "shop.adapters:D",
    }


def test_in_the_folder_of_the_file_its_words_stay_as_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "levada.toml").write_text(PATHS)
    assert load_configuration(Path()).resources["warehouse"]["url"] == "sqlite:warehouse.db?timeout=3"


def test_modules_are_found_beside_the_file_and_where_the_command_is_run(tmp_path, monkeypatch, modules):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here_rooms.py").write_text(APP)
    folder = tmp_path / "desk"
    folder.mkdir()
    (folder / "beside_rooms.py").write_text(APP)
    found = implementations_in(["here_rooms", "beside_rooms"], folder)
    assert [cls.__module__ for cls in found] == ["here_rooms", "beside_rooms"]
    assert sys.path[-1] == str(tmp_path)  # what is installed goes before it


@pytest.mark.parametrize(
    ("modules_", "text", "said"),
    [
        ("nowhere", "", r"\[app\] modules: there is no module nowhere\. Check the spelling"),
        ("mine.nowhere", "", r"\[app\] modules: there is no module mine\.nowhere"),
        ("mine", "\nimport nowhere_installed", r"mine/__init__\.py, line 2: .*'nowhere_installed'\. Install"),
        ("mine", "from mine.other import x", r"mine/__init__\.py, line 1: .*'mine\.other'\. Install"),
    ],
)
def test_what_cannot_be_imported_is_told_with_the_line_that_asks_for_it(
    tmp_path, modules, modules_, text, said
):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text(text)
    with pytest.raises(ConfigurationError, match=said):
        build_app(read(tmp_path, f'[app]\nmodules = ["{modules_}"]'))
