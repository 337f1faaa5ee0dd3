"""Questions are weighed by the blueprint; answers are taken in and remembered."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from levada.cli.map import map_
from levada.landscape.answers import ANSWERS_NAME, Answer, AnswersError, answered, read_answers, take_answers
from levada.landscape.blueprint import blueprint
from levada.landscape.mapping import map_folders
from levada.landscape.questions import questions, write_questions
from levada.network.graph import Flow, Network, Node
from levada.network.tables import WorkbookFull

SYSTEMS = "id,name,kind,owner\nhub,Hub,app,\nleaf,Leaf,app,x\nbooks-db,Books,db,\n"
FLOWS = "consumer,provider,object,mode,protocol\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "exports"
    root.mkdir()
    (root / "systems.csv").write_text(SYSTEMS)
    rows = [f"c{n},hub,,," for n in range(9)] + [
        "c1,leaf,order,sync,http",
        "a,books-db,,db,sql",
        "b,books-db,,db,sql",
        "d,books-db,,db,sql",
    ]
    (root / "flows.csv").write_text(FLOWS + "\n".join(rows) + "\n")
    return root


def test_what_most_decisions_hang_on_is_asked_first(folder: Path) -> None:
    network = map_folders([folder]).network
    asked = questions(network)
    assert asked[0].about == "hub"
    assert (asked[0].flips, asked[1].about) > (0, "")
    assert [q.flips for q in asked] == sorted((q.flips for q in asked), reverse=True)
    assert max(sum(a.about == q.about for a in asked) for q in asked) <= 2
    assert ("books-db", "storage_of") in {(q.about, q.field) for q in asked}


def test_the_flips_are_those_of_the_blueprint_of_the_answered_map(folder: Path) -> None:
    network = map_folders([folder]).network
    asked = next(q for q in questions(network) if (q.about, q.field) == ("hub", "contract"))
    before = {e.flow.rpartition(" (")[0]: (e.decision, e.via) for e in blueprint(network).ledger}
    flips = 0
    for answer in asked.answers:
        then = blueprint(answered(network, "hub", "contract", answer))
        flips += sum(before[e.flow.rpartition(" (")[0]] != (e.decision, e.via) for e in then.ledger)
    assert asked.flips == pytest.approx(flips / len(asked.answers))


@pytest.mark.parametrize("name", ["q.csv", "q.xlsx"])
def test_a_sheet_comes_back_with_answers_and_they_are_remembered(
    folder: Path, tmp_path: Path, name: str
) -> None:
    sheet = tmp_path / name
    asked = write_questions(map_folders([folder]).network, sheet)
    assert read_answers(sheet) == []
    fill(sheet, {("hub", asked[0].field): asked[0].answers[0], ("books-db", "storage_of"): "a"})

    assert map_(folder, answers=sheet) == 0
    network = map_folders([folder]).network  # without the sheet: it is remembered
    assert network.nodes["books-db"].attributes["storage_of"] == "a"
    assert {(q.about, q.field) for q in questions(network)}.isdisjoint({("books-db", "storage_of")})
    kept = {e.flow: e.because for e in blueprint(network).ledger}
    assert kept["a > books-db (db/sql)"] == "own storage"
    evidence = network.nodes["books-db"].evidence[-1]
    assert (evidence.importer, evidence.source, evidence.line) == ("answers", ANSWERS_NAME, 3)


def test_a_question_that_no_cell_holds_is_told_and_goes_into_a_csv(folder: Path, tmp_path: Path) -> None:
    network = map_folders([folder]).network.renamed({"hub": "h" * 40_000})
    with pytest.raises(WorkbookFull, match="about of question 1 would have 40,000 characters"):
        write_questions(network, tmp_path / "q.xlsx")
    write_questions(network, tmp_path / "q.csv")
    assert [p.name for p in tmp_path.glob("q.*")] == ["q.csv"]


def test_only_what_was_understood_counts_as_taken_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flows.csv").write_text("consumer,provider,object\na,b,c\n")
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("about,field,answer\nb,owner,Ann\nnobody,owner,Ann\nb,kind,thing\n")
    assert map_(tmp_path, answers=sheet) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1 answer taken in" in said
    assert "2 could not be taken" in said
    sheet.write_text("about,field,answer\nnobody,owner,Ann\n")
    assert map_(tmp_path, answers=sheet) == 1
    assert "0 answers taken in" in capsys.readouterr().out
    for junk in ("", "what is this\n", "a;b\n1;2\n"):
        sheet.write_text(junk)
        with pytest.raises(AnswersError):
            map_(tmp_path, answers=sheet)


def fill(sheet: Path, answers: dict[tuple[str, str], str]) -> None:
    if sheet.suffix == ".xlsx":
        from openpyxl import load_workbook

        book = load_workbook(sheet)
        for row in book.worksheets[0].iter_rows(min_row=2):
            row[4].value = answers.get((str(row[1].value), str(row[2].value)))
        book.save(sheet)
        return
    rows = list(csv.DictReader(sheet.open()))
    with sheet.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows({**r, "answer": answers.get((r["about"], r["field"]), "")} for r in rows)


def test_an_answer_of_a_system_fills_what_is_unknown_and_one_of_a_flow_that_flow() -> None:
    known = Flow(consumer="a", provider="erp", mode="sync", hours_month=4.0)
    open_ = Flow(consumer="b", provider="erp")
    network = Network.of([Node(id="a"), Node(id="b"), Node(id="erp")], [known, open_])
    network = take_answers(network, [Answer("erp", "mode", "file"), Answer("erp", "hours_month", "2")])
    assert {f.consumer: (f.mode, f.hours_month) for f in network.flows.values()} == {
        "a": ("sync", 4.0),
        "b": ("file", 2.0),
    }
    network = take_answers(network, [Answer(known.id, "hours_month", "9")])
    assert network.flows[known.id].hours_month == 9.0
    assert network.findings == []


@pytest.mark.parametrize(
    "answer",
    [
        Answer("nobody", "mode", "sync"),
        Answer("erp", "mode", "by pigeon"),
        Answer("erp", "hours_month", "-1"),
        Answer("erp", "colour", "red"),
        Answer("erp", "kind", "thing"),
        Answer("erp", "storage_of", "nobody"),
    ],
)
def test_what_cannot_be_taken_is_told_and_changes_nothing(answer: Answer) -> None:
    network = Network.of([Node(id="a"), Node(id="erp")], [Flow(consumer="a", provider="erp")])
    before = network.difference(take_answers(network, [answer]))
    assert not before
    assert [f.kind for f in network.findings] == ["answer"]


def test_a_sheet_of_another_form_is_told(tmp_path: Path, folder: Path) -> None:
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("x,y\n1,2\n")
    for path in (wrong, tmp_path / "none.csv", folder / "none.xlsx"):
        with pytest.raises(AnswersError):
            read_answers(path)


def test_answers_on_a_flow_name_it_as_the_sheet_does_whatever_they_make_of_its_id() -> None:
    flow = Flow(consumer="a", provider="erp")
    network = Network.of([Node(id="a"), Node(id="erp")], [flow])
    said = [("mode", "file"), ("object", "Orders"), ("hours_month", "9"), ("volume_day", "40")]
    network = take_answers(network, [Answer(flow.id, field, value) for field, value in said])
    (held,) = network.flows.values()
    assert (held.id, held.hours_month, held.volume_day) == ("a > erp [Orders] (file)", 9, 40)
    assert network.findings == []
