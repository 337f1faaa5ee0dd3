import json
import random
import resource
import string
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from levada.network import Evidence, Finding, Flow, Network, Node, tables
from levada.network import text as formats
from levada.network._yaml import YamlError, read_yaml
from levada.network.view import as_map, from_map

SCHEMA = Path(__file__).parents[2] / "docs/reference/schemas/map.schema.json"
words = st.text(st.characters(blacklist_categories=("Cs",)), min_size=1, max_size=12)
cells = (
    st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=8)
    .map(str.strip)
    .filter(bool)
)
marks = st.one_of(
    cells,
    st.from_regex(r"'{0,2}[=+@-][a-z0-9]{0,3}", fullmatch=True),
    st.sampled_from(["007", "1e5", "null", "TRUE"]),
)


def sample() -> Network:
    network = Network()
    network.add_node(
        Node(
            id="erp",
            name="ERP: the old one",
            kind="record",
            owner="yes",
            domain="1e5",
            attributes={"a": [1, {"b": None}]},
        )
    )
    network.add_flow(
        Flow(
            consumer="crm", provider="erp", object="no", mode="batch", protocol="#x", volume_day=12.5,
            evidence=(Evidence("a: b.csv", 3, "2026-01-01T00:00:00Z", "observed", "csv"), Evidence("z")),
        )
    )  # fmt: skip
    network.add_finding(Finding("secret", "error", "a 'quoted' \"text\"", "x.yaml", 2))
    return network


@pytest.mark.parametrize("suffix", [".yaml", ".jsonl"])
def test_text_comes_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"network{suffix}"
    formats.write(sample(), path)
    again = formats.read(path)
    assert again.sorted() == sample().sorted()
    formats.write(again, tmp_path / f"again{suffix}")
    assert (tmp_path / f"again{suffix}").read_text() == path.read_text()


@pytest.mark.parametrize("name", ["folder", "book.xlsx"])
def test_tables_come_back(tmp_path: Path, name: str) -> None:
    network = sample()
    formats.write(network, tmp_path / name)
    again = formats.read(tmp_path / name)
    assert again.nodes.keys() == network.nodes.keys()
    assert again.flows.keys() == network.flows.keys()
    assert again.flows["crm > erp [no] (batch/#x)"].volume_day == 12.5
    assert again.nodes["crm"].owner is None


@given(words, words)
@settings(max_examples=150, deadline=None)
def test_any_words_survive_yaml(one: str, two: str) -> None:
    network = Network.of(
        [Node(id=one, name=two)], [Flow(consumer=one, provider=two + "x", object=two, protocol=one)]
    )
    assert formats.from_yaml(formats.to_yaml(network)).flows.keys() == network.flows.keys()
    assert formats.from_jsonl(formats.to_jsonl(network)).flows.keys() == network.flows.keys()


@pytest.mark.parametrize("name", ["folder", "book.xlsx"])
@given(marks, marks, st.one_of(st.none(), st.just(0.0), st.floats(0, 1e9)))
@settings(max_examples=60, deadline=None)
def test_any_cells_come_back(
    tmp_path_factory: pytest.TempPathFactory, name: str, one: str, two: str, volume: float | None
) -> None:
    """Formulas, leading zeros, null and 0."""
    node = Node(id=one, name=two, owner=one, attributes={"remark": two, "name": "not the name"})
    flow = Flow(consumer=one, provider=two + "x", object=two, volume_day=volume, classification=one)
    path = tmp_path_factory.mktemp("cells") / name
    formats.write(Network.of([node], [flow]), path)
    again = formats.read(path)
    held, came = again.nodes[one], again.flows[flow.id]
    assert (held.name, held.owner, held.attributes["remark"]) == (two, one, two)
    assert (came.object, came.errors_day, came.classification) == (two, None, one)
    assert came.volume_day == (
        None if volume is None else pytest.approx(volume)
    )  # a workbook has fewer digits


def test_when_it_was_seen_comes_back_from_tables(tmp_path: Path) -> None:
    formats.write(sample(), tmp_path / "t")
    flow = formats.read(tmp_path / "t").flows["crm > erp [no] (batch/#x)"]
    assert (flow.status, max(e.seen or "" for e in flow.evidence)) == ("observed", "2026-01-01T00:00:00Z")


def test_control_characters_keep_no_workbook_from_being_written(tmp_path: Path) -> None:
    formats.write(Network.of([Node(id="a", name="x\x1by")]), tmp_path / "t.xlsx")
    assert formats.read(tmp_path / "t.xlsx").nodes["a"].name == "x\N{SYMBOL FOR ESCAPE}y"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """As on a disk that is nearly full: no file of this process grows beyond so many bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def noise(draw: random.Random, length: int) -> str:
    """Words that no archive makes much smaller."""
    return "".join(draw.choices(string.ascii_letters + string.digits, k=length))


@pytest.mark.parametrize(
    ("name", "size"), [("n.yaml", 46_000), ("n.jsonl", 46_000), ("folder", 46_000), ("n.xlsx", 52_000)]
)
def test_a_full_disk_leaves_the_network_that_was_there(tmp_path: Path, name: str, size: int) -> None:
    """Of a folder the first table would have found room, of a workbook each sheet."""
    path = tmp_path / name
    formats.write(sample(), path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    draw = random.Random(1)
    nodes = [Node(id=i, name=noise(draw, 22_500)) for i in "ab"]
    flows = [Flow(consumer=i, provider="c", object=noise(draw, 23_250)) for i in "ab"]
    with files_of_at_most(size), pytest.raises(OSError, match="File too large"):
        formats.write(Network.of(nodes, flows), path)
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


@pytest.mark.parametrize("name", ["folder", "n.xlsx"])
def test_cells_longer_than_others_take_come_back(tmp_path: Path, name: str) -> None:
    """A workbook's hold 32,767 characters: the rest is continued beside them."""
    told = tuple(Evidence(f"shop/{i:05d}/flows.xml", i) for i in range(1, 8001))
    remark = "a" * (tables.MOST_OF_A_CELL - 1) + " =b " + "c" * tables.MOST_OF_A_CELL
    node = Node(id="hub", name="Hub", attributes={"remark": remark}, evidence=told)
    flow = Flow(consumer="crm", provider="hub", object="'=" + "o" * 40_000, evidence=told)
    formats.write(Network.of([node], [flow]), tmp_path / name)
    again = formats.read(tmp_path / name)
    assert {e.source for e in again.nodes["hub"].evidence} >= {e.source for e in told}
    assert again.nodes["hub"].attributes == {"remark": remark}
    assert [f.object for f in again.flows.values()] == [flow.object]
    assert {(e.source, e.line) for e in again.flows[flow.id].evidence} >= {(e.source, e.line) for e in told}
    assert again.findings == [f for f in again.findings if f.kind == "unlisted-system"]


def test_a_cell_that_somebody_filled_to_the_brim_is_told(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    sheet = book.create_sheet("flows")
    sheet.append(["consumer", "provider", "remark"])
    sheet.append(["crm", "erp", "x" * 40_000])  # openpyxl cuts it, as other writers do
    book.save(tmp_path / "n.xlsx")
    (found,) = (f for f in formats.read(tmp_path / "n.xlsx").findings if f.kind == "full-cell")
    assert (found.severity, found.source, found.line) == ("warning", "n.xlsx", 2)
    assert "remark" in found.text


def test_more_rows_than_a_sheet_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS", 3)
    with pytest.raises(tables.WorkbookFull, match="systems would have 4 rows"):
        formats.write(Network.of([Node(id=i) for i in "abc"]), tmp_path / "n.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_cells_are_no_formulas(tmp_path: Path) -> None:
    network = Network.of([Node(id="a", name="=cmd()", owner="+x", domain="-y")])
    formats.write(network, tmp_path / "t")
    assert "'=cmd()" in (tmp_path / "t/systems.csv").read_text()
    assert formats.read(tmp_path / "t").nodes["a"].name == "=cmd()"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("levada_network: 2\n", 1),
        ("levada_network: 1\nflows:\n  - consumer: a\n    provider: b\n    mode: sometimes\n", 3),
        ("levada_network: 1\nnodes: [\n", 3),
    ],
)
def test_errors_name_the_line(text: str, line: int) -> None:
    with pytest.raises(formats.NetworkTextError) as caught:
        formats.from_yaml(text, "n.yaml")
    assert caught.value.values["line"] == line


def test_map_follows_its_schema_and_comes_back() -> None:
    schema = json.loads(SCHEMA.read_text())
    shown = json.loads(json.dumps(as_map(sample())))
    jsonschema.validate(shown, schema, cls=jsonschema.Draft202012Validator)
    assert from_map(shown).sorted() == sample().sorted()
    shown["flows"][0]["mode"] = "sometimes"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(shown, schema)


def test_unknown_is_null_never_zero() -> None:
    shown = as_map(Network.of([Node(id="a"), Node(id="b")], [Flow(consumer="a", provider="b")]))
    assert shown["flows"][0]["volume_day"] is None
    assert shown["systems"][0]["owner"] is None


def test_yaml_bombs_and_cycles_are_refused() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{c}: &{c} [{','.join('*' + p for _ in range(9))}]\n"
        for p, c in zip("abcdefgh", "bcdefghi", strict=True)
    )
    with pytest.raises(YamlError, match="aliases"):
        list(read_yaml(bomb))
    with pytest.raises(YamlError, match="itself"):
        list(read_yaml("a: &x [*x]"))
    with pytest.raises(YamlError, match="deep"):
        list(read_yaml("[" * 400 + "]" * 400))
    assert list(read_yaml("a: no\nb: 12:30\nc: 010\nd: ~\ne: !!python/object:os.system x")) == [
        {"a": "no", "b": "12:30", "c": 10, "d": None, "e": "x"}
    ]
