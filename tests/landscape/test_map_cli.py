import json
from pathlib import Path

import jsonschema
import pytest

from levada.cli.map import map_
from levada.landscape.importers import importers

SCHEMA = Path(__file__).parents[2] / "docs/reference/schemas/map.schema.json"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "flows.csv").write_text("consumer,provider,mode\na,b,sync\n[bold],c,\n")
    (tmp_path / "crontab").write_text("0 1 * * * curl https://erp.acme.org/x\n")
    return tmp_path


def test_json_follows_the_schema(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert map_(root, json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    jsonschema.validate(shown, json.loads(SCHEMA.read_text()), cls=jsonschema.Draft202012Validator)
    assert {(f["consumer"], f["provider"]) for f in shown["flows"]} == {
        ("a", "b"),
        ("[bold]", "c"),
        ("cron/crontab", "erp.acme.org"),
    }


def test_summary_formats_and_dry_run(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert map_(root) == 0
    out = capsys.readouterr().out
    assert "6 systems" in out
    assert "unlisted-system" in out
    assert map_(formats=True) == 0
    out = capsys.readouterr().out
    assert all(i.name in out for i in importers())
    assert map_(root, dry_run=True) == 0
    assert "scripts" in capsys.readouterr().out
    assert map_() == 2


def test_files_that_nothing_reads_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "minutes.docx").write_bytes(b"\x00\x01")
    assert map_(root) == 0
    assert "Not recognised: minutes.docx\n" in capsys.readouterr().out
    assert map_(root, dry_run=True) == 0
    assert "minutes.docx  not recognised" in capsys.readouterr().out
    assert map_(root / "minutes.docx") == 0
    out = capsys.readouterr().out
    assert "Nothing was read." in out
    assert "Most depended on" not in out


def test_where_to_write_is_judged_before_anything_is_read(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert map_(root, out=tmp_path / "network.pdf") == 2
    assert ".yaml, .jsonl or .xlsx" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["n.yaml", "n.jsonl", "n.xlsx", "folder"])
def test_what_is_written_is_an_input_again(
    root: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    from levada.landscape.mapping import map_folders

    out = tmp_path_factory.mktemp("out")
    assert map_(root, out=out / name) == 0
    assert map_folders([out]).network.flows.keys() == map_folders([root]).network.flows.keys()
