"""What is broken, cut, or made to harm never ends an import, and no secret comes out of one."""

import gzip
import json
import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.landscape.importers.test_formats import CASES
from tests.landscape.importers.test_real_shapes import CASES as SHAPES

from levada.landscape.mapping import Mapped, map_folders
from levada.network import text
from levada.network.view import as_map

FILES = [(n, t) for files, _ in (*CASES.values(), *SHAPES.values()) for n, t in files.items()]
SECRETS = (
    "ghp_" + "a1B2" * 9, "AKIA" + "Z9Y8" * 4, "sk_live_" + "q7W6" * 6, "glpat-" + "x5V4u3T2s1R0q9P8o7N6",
    "xoxb-" + "123456789012-abcdefABCDEF", "SG." + "k3J2h1G0" * 2 + "." + "m5N4b3V2" * 3,
    "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0NSJ9." + "s1D2f3G4h5J6k7L8",
)  # fmt: skip


def _output(mapped: Mapped) -> str:
    return json.dumps(as_map(mapped.network), ensure_ascii=False)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, bytes]:
    """A real file with pieces cut out, repeated, moved or replaced, as damage and carelessness do."""
    name, text = draw(st.sampled_from(FILES))
    data = bytearray(text.encode())
    for _ in range(draw(st.integers(1, 6))):
        a, b = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        match draw(st.integers(0, 4)):
            case 0:
                del data[a : min(b, a + 40)]
            case 1:
                data[a:a] = data[a : min(b, a + 40)] * draw(st.integers(1, 3))
            case 2:
                data[a:a] = draw(st.binary(max_size=8))
            case 3:
                data[a:a] = draw(st.sampled_from((b"{", b"[", b"null", b"\n- ", b"&a *a", b"<!--", b"${", b"{{", b"\0", b"://", b"'", b'"', b"9" * 400)))  # fmt: skip
            case _:
                data[a : a + 1] = b""
    return name, bytes(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_damage_never_ends_an_import(
    tmp_path_factory: pytest.TempPathFactory, case: tuple[str, bytes]
) -> None:
    name, data = case
    root = tmp_path_factory.mktemp("hurt")
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(data)
    mapped = map_folders([root])
    for flow in mapped.network.flows.values():
        assert flow.consumer in mapped.network.nodes
        assert flow.consumer != flow.provider


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(FILES), st.sampled_from(SECRETS), st.data())
def test_a_secret_anywhere_in_a_file_comes_out_nowhere(
    tmp_path_factory: pytest.TempPathFactory, file: tuple[str, str], secret: str, data: st.DataObject
) -> None:
    name, text = file
    words = [i for i in range(1, len(text)) if text[i].isalnum() and not text[i - 1].isalnum()]
    at = data.draw(st.sampled_from(words or [0]))
    end = next((i for i in range(at, len(text)) if not text[i].isalnum()), len(text))
    root = tmp_path_factory.mktemp("told")
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text[:at] + secret + text[end:], encoding="utf-8")
    out = _output(map_folders([root]))
    assert secret not in out
    assert secret.lower() not in out


def test_an_entity_bomb_and_an_alias_bomb(tmp_path: Path) -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {chr(98 + i)} "{f"&{chr(97 + i)};" * 10}">' for i in range(9)
    )
    (tmp_path / "m.xml").write_text(
        bomb + ']><mule xmlns="http://www.mulesoft.org/schema/mule/core">&j;</mule>'
    )
    (tmp_path / "compose.yaml").write_text("a: &a [x, x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(12)) + "services:\n  x:\n    image: y\n")  # fmt: skip
    begun = time.process_time()
    mapped = map_folders([tmp_path])
    assert time.process_time() - begun < 10
    assert {(f.kind, f.source) for f in mapped.network.findings} >= {("malformed-file", "m.xml"), ("malformed-file", "compose.yaml")}  # fmt: skip


def test_bombs_in_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "interfaces.xlsx", "w", zipfile.ZIP_DEFLATED) as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("xl/worksheets/sheet1.xml", b"<row>" + b" " * 50_000_000)
    with gzip.open(tmp_path / "access.log.gz", "wb") as log:
        log.write(b"x" * 30_000_000)
    begun = time.process_time()
    mapped = map_folders([tmp_path])
    assert time.process_time() - begun < 20
    assert not mapped.network.flows


def test_lines_of_a_log_without_an_end(tmp_path: Path) -> None:
    good = '10.0.0.9 - crm [10/Oct/2026:13:00:00 +0000] "GET /orders HTTP/1.1" 200 1 "-" "-"\n'
    (tmp_path / "erp-access.log").write_text(good + "y" * 5_000_000 + "\n" + good)
    mapped = map_folders([tmp_path])
    assert [f.attributes["requests"] for f in mapped.network.flows.values()] == [2]
    assert "1 line is" in next(f.text for f in mapped.network.findings if f.kind == "unread-lines")


def test_links_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "systems.csv").write_text("id,name\nx,X\n")
    root = tmp_path / "in"
    root.mkdir()
    (root / "systems.csv").symlink_to(outside / "systems.csv")
    (root / "more").symlink_to(outside)
    (root / "loop").symlink_to(root)
    mapped = map_folders([root])
    assert not mapped.network.nodes
    assert sorted((f.kind, f.source) for f in mapped.network.findings) == [
        ("skipped-file", "loop"),
        ("skipped-file", "more"),
        ("skipped-file", "systems.csv"),
    ]


def test_a_folder_that_is_left_out_is_told(folder: Callable[[dict[str, str]], Path]) -> None:
    rows = "consumer,provider\na,b\n"
    root = folder({"crm/dist/flows.csv": rows, "crm/node_modules/x/flows.csv": rows, "erp/flows.csv": rows})
    mapped = map_folders([root])
    assert [f.source for f in mapped.read] == ["erp/flows.csv"]
    assert [f.text for f in mapped.network.findings if f.kind == "skipped-folder"] == [
        "not read, as their names are those of what a build makes: crm/dist; name one to have it read"
    ]
    assert [f.source for f in map_folders([root / "crm/dist"]).read] == ["flows.csv"]


@pytest.mark.parametrize(
    "text",
    [
        "services:\n  x: " + "[" * 200_000,
        "services:\n  x: " + "{a: " * 100_000,
        "services:\n" + "- " * 100_000 + "a\n",
        "services:\n" + "".join(f"{' ' * n}a:\n" for n in range(1, 3000)),
    ],
)
def test_yaml_that_nests_without_end_is_refused_before_it_is_built(
    folder: Callable[[dict[str, str]], Path], text: str
) -> None:
    """In the loader in C that overran the stack, and took the process with it."""
    mapped = map_folders([folder({"compose.yaml": text, "flows.csv": "consumer,provider\na,b\n"})])
    assert list(mapped.network.flows) == ["a > b (unknown)"]
    assert [f.source for f in mapped.network.findings if f.kind == "malformed-file"] == ["compose.yaml"]


def test_a_long_text_in_xml_takes_no_longer_for_its_lines(tmp_path: Path) -> None:
    head = '<m xmlns="http://www.opengroup.org/xsd/archimate/3.0/">'
    (tmp_path / "m.xml").write_text(head + "some words here\n" * 1_500_000 + "</m>")
    begun = time.process_time()
    map_folders([tmp_path])
    assert time.process_time() - begun < 10


def test_a_workbook_that_is_broken_within_stops_nothing(folder: Callable[[dict[str, str]], Path]) -> None:
    from openpyxl import Workbook

    root = folder({"flows.csv": "consumer,provider\na,b\n"})
    book = Workbook()
    book.worksheets[0].append(["consumer", "provider"])
    book.save(root / "bad.xlsx")
    with zipfile.ZipFile(root / "bad.xlsx") as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"][:-30] + b"<<"
    with zipfile.ZipFile(root / "bad.xlsx", "w") as cut:
        for name, data in parts.items():
            cut.writestr(name, data)
    mapped = map_folders([root])
    assert list(mapped.network.flows) == ["a > b (unknown)"]
    assert [f.source for f in mapped.network.findings if f.kind == "malformed-file"] == ["bad.xlsx"]


def test_names_that_are_no_utf8_come_out_legible(tmp_path: Path) -> None:
    """Of a file, as an archive of another system leaves it, and half a character in JSON."""
    with (tmp_path / os.fsdecode(b"r\xe9.csv")).open("w") as file:
        file.write("consumer,provider\na,b\n")
    (tmp_path / "w.json").write_text(
        '{"name": "half \\ud83d", "nodes": [{"type": "n8n-nodes-base.slack", "name": "s", "parameters": {}}]}'
    )
    mapped = map_folders([tmp_path])
    for suffix in (".yaml", ".jsonl", ".xlsx", ""):
        text.write(mapped.network, tmp_path.with_name(f"out{suffix}"))
    assert _output(mapped).encode()
    assert {f.source for f in mapped.read} == {"r\\udce9.csv", "w.json"}


def test_a_row_that_cannot_be_read_costs_that_row(folder: Callable[[dict[str, str]], Path]) -> None:
    rows = 'consumer,provider,object\na,b,x\nc,d,y,z\ne,f,q\x0b1\u20282\ng,"h"i,j\nk,l,m\nn,"o,p\nq,r,s\n'
    named = "source;target\ncrm;erp\ncrm;erp;x\nshop;erp\n"
    mapped = map_folders([folder({"flows.csv": rows, "list.csv": named})])
    assert {(f.consumer, f.object) for f in mapped.network.flows.values()} == {
        ("a", "x"), ("e", "q\x0b1\u20282"), ("k", "m"), ("erp", None),
    }  # fmt: skip
    told = {
        (f.source, f.line) for f in mapped.network.findings if f.kind in ("misaligned-row", "malformed-row")
    }
    assert told == {("flows.csv", 3), ("flows.csv", 5), ("flows.csv", 7), ("list.csv", 3)}


def test_text_behind_a_json_value_is_told(folder: Callable[[dict[str, str]], Path]) -> None:
    files, expected = CASES["n8n"]
    mapped = map_folders([folder({"w.json": files["w.json"] + "\n}\n"})])
    assert set(mapped.network.flows) == expected
    assert [f.kind for f in mapped.network.findings] == ["read-in-part"]


def test_lags_add_up(folder: Callable[[dict[str, str]], Path]) -> None:
    rows = "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID\nbill o 0 1 3 2 -\nbill o 1 1 4 3 -\nbill p 0 - 9 - -\n"
    network = map_folders([folder({"groups.txt": rows})]).network
    assert network.nodes["bill"].attributes["lag"] == 5


@pytest.mark.parametrize("most", range(60, 160, 7))
def test_half_a_secret_stays_in_no_message(folder: Callable[[dict[str, str]], Path], most: int) -> None:
    url = "={{ $json.base }}/" + "p" * (most - 40) + "/" + SECRETS[0]
    node = {"type": "n8n-nodes-base.httpRequest", "name": "h", "parameters": {"url": url}}
    out = _output(map_folders([folder({"w.json": json.dumps({"name": "w", "nodes": [node]})})]))
    assert "the address is computed" in out
    assert SECRETS[0][:12] not in out


@pytest.mark.parametrize("secret", [s for s in SECRETS if "." not in s])
def test_a_secret_within_a_name_is_one(folder: Callable[[dict[str, str]], Path], secret: str) -> None:
    rows = f"consumer,provider,object\na,b_{secret}_URL,{secret}_x\n"
    assert secret not in _output(map_folders([folder({"flows.csv": rows})]))
