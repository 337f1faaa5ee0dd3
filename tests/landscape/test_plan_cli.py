"""levada blueprint, plan, plan check and report as a person calls them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from levada.cli.main import main
from levada.landscape.sample import copy


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    with pytest.raises(SystemExit) as left:
        main([str(a) for a in arguments])
    return int(left.value.code or 0), capsys.readouterr().out


def test_json_of_a_process_is_json_alone(tmp_path: Path) -> None:
    folder = copy(tmp_path / "in")
    for verb in ("blueprint", "plan"):
        code = f"from levada.cli.main import main; main(['{verb}', {str(folder)!r}, '--json'])"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert json.loads(done.stdout)


def test_map_blueprint_plan_and_check_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy(tmp_path / "in")
    flows = {f["id"] for f in json.loads(run(capsys, "map", folder, "--json")[1])["flows"]}
    ledger = json.loads(run(capsys, "blueprint", folder, "--json")[1])["ledger"]
    assert sorted(e["flow"] for e in ledger) == sorted(flows)

    code, text = run(capsys, "plan", folder, "--json", "--start", "2026-03-02", "--ics", tmp_path / "p.ics")
    assert code == 0
    planned = json.loads(text)
    assert planned["start"] == "2026-03-02"
    assert {f for i in planned["items"] for f in i["ledger"]} <= flows
    assert (tmp_path / "p.ics").read_bytes().startswith(b"BEGIN:VCALENDAR\r\n")

    (tmp_path / "plan.json").write_text(text)
    code, text = run(capsys, "plan", "check", tmp_path / "plan.json", folder, "--json")
    assert code == 3
    assert {row["verdict"] for row in json.loads(text)} == {"not proven"}


def test_a_report_in_three_formats(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy(tmp_path / "in")
    for suffix in (".html", ".md", ".json"):
        assert run(capsys, "report", folder, "--out", tmp_path / f"r{suffix}")[0] == 0
        assert (tmp_path / f"r{suffix}").stat().st_size > 1000
    assert run(capsys, "report", folder, "--out", tmp_path / "r.pdf")[0] == 2
    assert run(capsys, "blueprint")[0] == 2
    assert "horizon" in run(capsys, "blueprint", "--parameters")[1]


def test_a_broken_plan_is_told_with_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plan.json").write_text("{")
    code, text = run(capsys, "plan", "check", tmp_path / "plan.json", tmp_path, "--json")
    assert code != 0
    assert "LV1913" in text
