"""What holds of every verb: a change can be tried without being made, and the exit codes are those of the reference."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.verbs import ARGUMENTS, helps
from tests.started import levada

HELPS = helps()
DRY = sorted(name for name, text in HELPS.items() if "--dry-run" in text)
CONFIGURED = sorted(name for name, text in HELPS.items() if "--config" in text)
ONLY_SHOWS = {
    "describe", "db status", "events tail", "events subscriptions", "events parked", "events explain", "runs list",
    "runs show", "runs check", "keys list", "requests list", "subjects export", "gateway status", "audit list",
    "audit verify", "doctor", "plan check",
}  # fmt: skip
WITHOUT = {
    "run": "it serves until it is stopped",
    "up": "it serves until it is stopped",
    "client": "without --out it prints what it would write",
    "blueprint": "without --out it shows what it would write",
    "plan": "it writes what is asked for by name, and shows it otherwise",
    "report": "it writes one file, and --out says which",
}
"""Verbs that change something, or serve, and have no --dry-run; each with its reason."""

APP = '''
from levada import ExperienceAPI, http


class Club(ExperienceAPI, domain="club", version="1.0"):
    """Club."""

    @http.get("/members/{member}")
    async def member(self, member: str) -> str:
        """A member."""
        return member
'''
OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "Club", "version": "1.0"},
    "paths": {
        "/members": {"get": {"operationId": "members", "responses": {"200": {"description": "Some."}}}}
    },
}
REVIEW = """levada_review: 1
merges:
  - {keep: b, drop: a, rule: host, reason: same host, confidence: 0.9}
"""


def test_every_verb_is_tried_here():
    assert set(ARGUMENTS) == set(HELPS)


def test_every_verb_that_changes_something_takes_dry_run_or_has_a_reason_not_to():
    assert set(DRY) | ONLY_SHOWS | set(WITHOUT) == set(HELPS)
    assert not set(DRY) & (ONLY_SHOWS | set(WITHOUT))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A deployment with a store, a backup and a few files to read."""
    folder = tmp_path_factory.mktemp("deployment")
    (folder / "club.py").write_text(APP)
    (folder / "levada.toml").write_text('[app]\nmodules = ["club"]\n[plans.gold]\nrate = "60/min"\n')
    (folder / "openapi.json").write_text(json.dumps(OPENAPI))
    (folder / "review.yaml").write_text(REVIEW)
    (folder / "landscape").mkdir()
    (folder / "landscape" / "crontab").write_text("0 5 * * * /opt/bin/report\n")
    for arguments in (("db", "migrate"), ("db", "backup", "monday.db"), ("keys", "list")):
        done = levada(folder, *arguments)
        assert done.returncode == 0, done.stderr
    return folder


def everything(folder: Path) -> dict[str, object]:
    """All files, and of the store what is in it."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or "__pycache__" in name or name.startswith(("levada.db-", "levada.db.lock")):
            continue
        if name == "levada.db":
            with closing(sqlite3.connect(path)) as db:
                found[name] = [line for line in db.iterdump() if "'now'" not in line]
        else:
            found[name] = path.read_bytes()
    return found


OF_SOMETHING = {
    "events resume", "events skip", "events pause", "events continue", "events replay", "runs resume", "runs answer",
    "runs skip", "runs compensate", "keys rotate", "keys revoke", "requests approve", "requests refuse", "subjects forget",
}  # fmt: skip
"""Verbs of something that has to be there; what they are given here is not."""


@pytest.mark.parametrize("verb", sorted(OF_SOMETHING))
def test_with_dry_run_what_is_not_there_is_said_as_without(prepared, verb):
    before = everything(prepared)
    tried = levada(prepared, *verb.split(), *ARGUMENTS[verb], "--dry-run")
    assert everything(prepared) == before
    done = levada(prepared, *verb.split(), *ARGUMENTS[verb])
    assert (tried.returncode, tried.stderr) == (done.returncode, done.stderr)
    assert done.returncode in (1, 2)
    assert done.stderr.startswith("LV1")


@pytest.mark.parametrize("verb", sorted(set(DRY) - OF_SOMETHING))
def test_with_dry_run_nothing_is_changed_and_it_says_so(prepared, verb):
    before = everything(prepared)
    done = levada(prepared, *verb.split(), *ARGUMENTS[verb], "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) is not None
    assert everything(prepared) == before


@pytest.mark.parametrize("verb", sorted(HELPS))
def test_an_option_that_is_none_is_2_and_names_it(tmp_path, verb):
    done = levada(tmp_path, *verb.split(), *ARGUMENTS[verb], "--nonsense")
    assert done.returncode == 2, done.stdout
    assert "--nonsense" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", [v for v in CONFIGURED if v != "doctor"])
def test_without_a_configuration_it_is_2_with_what_to_do_and_nothing_is_made(tmp_path, verb):
    done = levada(tmp_path, *verb.split(), *ARGUMENTS[verb])
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("LV1202 levada.toml: there is no such file")
    assert "levada new" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_waits_for_a_person_is_3(prepared):
    assert levada(prepared, "gateway", "status").returncode == 3


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (("client", "openapi.json", "--out", "no/such/club.py"), "no/such/club.py"),
        (("report", "landscape", "--out", "no/such/report.html"), "no/such/report.html"),
        (("map", "landscape", "--out", "no/such/map.yaml"), "no/such/map.yaml"),
        (("client", "landscape"), "landscape"),
        (("describe", "--config", "club.py"), "club.py"),
        (("db", "backup", "monday.db", "--dry-run"), "monday.db"),
        (("describe", "--env", "a/b"), "'a/b' is no name of an environment"),
        (("keys", "create", "--consumer", "a", "--product", "club/Club/v1", "--plan", "gold", "--days", "0"), "--days"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_said_with_its_name(prepared, arguments, place):
    before = everything(prepared)
    done = levada(prepared, *arguments)
    assert done.returncode == 2, done.stdout
    assert place in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert everything(prepared) == before


@pytest.mark.parametrize("text", ["app = 1\n", "[app]\nenvironment = 3\n", 'app = "x"\n', "store = []\n"])
def test_a_configuration_of_the_wrong_shape_is_said(prepared, tmp_path, text):
    shutil.copy(prepared / "club.py", tmp_path)
    (tmp_path / "levada.toml").write_text(text)
    done = levada(tmp_path, "describe")
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith("LV1202 levada.toml: ")
    assert "configuration.md" in done.stderr
