import json
from pathlib import Path

import jsonschema
import pytest

from levada.cli._usage import CommandLineWrong
from levada.cli.map import map_
from levada.landscape.analysis_impact import UnknownSystem
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
    with pytest.raises(CommandLineWrong, match="levada map --formats"):
        map_()


def test_files_that_nothing_reads_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "minutes.docx").write_bytes(b"\x00\x01")
    assert map_(root) == 0
    assert "Not recognised: minutes.docx\n" in capsys.readouterr().out
    assert map_(root, dry_run=True) == 0
    assert "minutes.docx  not recognised" in capsys.readouterr().out
    assert map_(root / "minutes.docx") == 1
    out = capsys.readouterr().out
    assert "Nothing was read." in out
    assert "Most depended on" not in out


def test_a_row_of_a_pipe_stays_on_its_line(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    deep = root / ("a-folder-of-exports-" * 4) / "minutes-of-a-meeting.docx"
    deep.parent.mkdir()
    deep.write_bytes(b"\x00\x01")
    assert map_(root, dry_run=True) == 0
    assert f"{deep.relative_to(root)}  not recognised" in capsys.readouterr().out


def test_a_folder_behind_a_link_is_told_of(
    root: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "more").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    assert map_(root) == 0
    assert "a link that leads out of the folder; not followed" in capsys.readouterr().out


def test_systems_of_one_name_are_told_by_their_id(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "systems.csv").write_text("id,name\norders/table,Table\ndelivery/table,Table\n")
    (root / "flows.csv").write_text("consumer,provider\na,orders/table\nb,delivery/table\n")
    assert map_(root) == 0
    out = capsys.readouterr().out
    assert "orders/table" in out
    assert "delivery/table" in out


def test_where_to_write_is_judged_before_anything_is_read(root: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandLineWrong, match=r"\.yaml, \.jsonl or \.xlsx"):
        map_(root, out=tmp_path / "network.pdf")


@pytest.mark.parametrize("name", ["n.yaml", "n.jsonl", "n.xlsx", "folder"])
def test_what_is_written_is_an_input_again(
    root: Path, tmp_path_factory: pytest.TempPathFactory, name: str
) -> None:
    from levada.landscape.mapping import map_folders

    out = tmp_path_factory.mktemp("out")
    assert map_(root, out=out / name) == 0
    assert map_folders([out]).network.flows.keys() == map_folders([root]).network.flows.keys()


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    (tmp_path / "systems.csv").write_text("id,name,owner\nerp,ERP,finance\ncrm,CRM,sales\ndwh,DWH,\n")
    (tmp_path / "flows.csv").write_text(
        "consumer,provider,object,fields\ncrm,erp,customer,mail <- customer.email\ndwh,erp,invoice,\nshop,crm,customer,\n"
    )
    return tmp_path


def test_who_notices_a_change_is_shown_nearest_first_with_whom_to_tell(
    fields: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert map_(fields, impact="ERP") == 0
    out = capsys.readouterr().out
    assert "3 systems of 3 (100%) may notice a change of ERP." in out
    rows = [line.split() for line in out.splitlines() if line.strip()[:1].isdigit() and "may" not in line]
    assert rows == [
        ["1", "CRM", "sales", "customer.email"],
        ["1", "DWH", "unknown", "unknown", "fields"],
        ["2", "shop", "unknown"],
    ]
    assert "To be told: sales; the owners of 2 systems, who are unknown" in out
    assert map_(fields, impact="shop") == 0
    assert "No system on this map may notice a change of shop." in capsys.readouterr().out


def test_a_change_of_a_field_reaches_who_takes_it_or_may(
    fields: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert map_(fields, impact="erp", field="invoice.total", json=True) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown == {
        "system": "erp",
        "field": "invoice.total",
        "rings": [["dwh"]],
        "share": pytest.approx(1 / 3),
        "owners": [],
        "owner_unknown": 1,
        "fields": {"crm": ["customer.email"]},
    }


def test_a_system_that_is_not_on_the_map_is_told_with_what_is_near(fields: Path) -> None:
    with pytest.raises(UnknownSystem, match=r"nearest: erp"):
        map_(fields, impact="erpp")
    with pytest.raises(CommandLineWrong, match="--impact SYSTEM --field"):
        map_(fields, field="x")
