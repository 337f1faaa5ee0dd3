"""Contracts and events compared with what was published: direction, place, reason and mend of each finding."""

from abc import abstractmethod  # noqa: F401 - for what is executed
from enum import Enum
from typing import Any

import msgspec
import pytest
from msgspec import Struct

import levada
from levada import Problem
from levada.contract import contract_of, event_type
from levada.contract.compatibility import Baseline, baseline_of, breaks, diff, extended
from levada.contract.compatibility.baseline import BaselineUnusable


class Tea(Enum):
    GREEN = "green"
    BLACK = "black"


class TeaAndMore(Enum):
    GREEN = "green"
    BLACK = "black"
    WHITE = "white"


class Gone(Problem, status=404):
    item: str


SPACE = {**globals(), **{name: getattr(levada, name) for name in levada.__all__}}


def event(fields: str, version: str = "1.0", **more: Any):
    source = f'class Ordered(Event, version="{version}", domain="shop"):\n'
    source += "".join(f"    {line}\n" for line in fields.split("; "))
    space = {**SPACE, **more, "__name__": __name__}
    exec(source, space)
    return baseline_of([], [event_type(space["Ordered"])])


def contract(operation: str, undo: bool = True, layer: str = "SystemAPI"):
    source = f'class Stock({layer}, domain="shop", version="1.0"):\n{operation}'
    if undo:
        source += "\n    @undoes(reserve)\n    async def undo(self, r: Any) -> None: ..."
    space = {**SPACE, "__name__": __name__}
    exec(source, space)
    return baseline_of([contract_of(space["Stock"])], [])


def reserve(arguments="item: str, n: int", answer="int", http='post("/reservations", raises=[Gone])'):
    return (
        f"    @http.{http}\n    @abstractmethod\n    async def reserve(self, {arguments}) -> {answer}: ...\n"
    )


def said(old: Baseline, new: Baseline) -> list[str]:
    return [f"{f.level} {f}" for f in diff(old, new)]


@pytest.mark.parametrize(
    "fields",
    [
        "id: OrderKey[str]; n: int; note: str = 'none'",
        "n: int; id: OrderKey[str]",
        "id: OrderKey[str]; n: int; gift: bool = False; tea: Tea = Tea.GREEN",
    ],
)
def test_what_both_sides_can_read_is_compatible(fields):
    assert breaks(diff(event("id: OrderKey[str]; n: int"), event(fields, "1.1"))) == []


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("id: str; n: int", "id: str; n: str", ["Ordered.v1.n: it was int and is now str", "add a member with a default beside it"]),
        ("id: str", "id: str; n: int", ["has no n, and the new code needs it", "Give it a default: n: … = …"]),
        ("id: str; n: int", "id: str", ["n is gone, and code that is not yet replaced needs it", "Keep n"]),
        ("id: str; n: int = 1", "id: str; n: int", ["n could be left out and cannot any more", "Keep its default"]),
        ("id: str; n: int", "id: str; n: int = 1", ["n may now be left out, and code that is not yet replaced needs it"]),
        ("id: str; tea: Tea", "id: str; tea: TeaAndMore", ["the value 'white' is new", 'Example: {"id":"x","tea":"white"}']),
        ("id: str; tea: TeaAndMore", "id: str; tea: Tea", ["the value 'white' was allowed and is refused now"]),
        ("id: str; n: int", "id: str; n: int | None", ["it may now be null", 'Example: {"id":"x","n":null}']),
        ("id: str; n: int | None", "id: str; n: int", ["it could be null and cannot any more"]),
        ("id: OrderKey[str]; b: str", "id: str; b: OrderKey[str]", ["ordered by id and are now by b"]),
        ("id: str; lines: list[dict[str, int]]", "id: str; lines: list[dict[str, str]]", ["Ordered.v1.lines[]{}", "it was int and is now str"]),
    ],
)  # fmt: skip
def test_what_breaks_somebody_is_told_with_place_reason_and_mend(old, new, words):
    found = said(event(old), event(new, "1.1"))
    assert found
    assert found[0].startswith("breaks shop.Ordered.v1")
    for word in words:
        assert any(word in line for line in found), found


def test_a_change_is_compared_with_every_form_that_was_published():
    first, second, third = (
        event(f"id: str{more}", v)
        for more, v in (("; n: int = 1", "1.0"), ("", "1.1"), ("; n: str = ''", "1.2"))
    )
    assert breaks(diff(first, second)) == []
    assert breaks(diff(second, third)) == []
    history = extended(extended(Baseline(), first), second)
    assert ["shop.Ordered.v1.n" in f.place for f in breaks(diff(history, third))] == [True, True]


@pytest.mark.parametrize(
    ("new", "words"),
    [
        (contract(reserve("item: str, n: int, gift: bool = False")), []),
        (contract(reserve("item: str, n: int, gift: bool")), ["reserve(gift): the argument is new", "Give it a default"]),
        (contract(reserve("item: str, how: int = 0, n: int = 0")), []),
        (contract(reserve("item: str")), ["reserve(n): the argument is gone", "Keep it"]),
        (contract(reserve("item: str, n: str")), ["reserve(n): it was int and is now str"]),
        (contract(reserve("item: str, n: int | None")), []),
        (contract(reserve(answer="int | None")), ["reserve answer: it may now be null"]),
        (contract(reserve(answer="bool")), ["reserve answer: it was int and is now bool"]),
        (contract(reserve(http='post("/held", raises=[Gone])')), ["it was POST /reservations and is POST /held"]),
        (contract(reserve(http='put("/reservations", raises=[Gone])')), ["it was POST /reservations and is PUT"]),
        (contract(reserve(http='post("/reservations", raises=[Gone], status=202)')), ["it answered 200"]),
        (contract(reserve(http='post("/reservations", raises=[Gone], scopes=["s"])')), ["it now needs the scope s"]),
        (contract(reserve(http='post("/reservations", raises=[])')), []),
        (contract(reserve(), undo=False), ["what undoes it is gone"]),
        (contract('    @http.get("/x")\n    @abstractmethod\n    async def x(self) -> int: ...', undo=False), ["reserve: the operation is gone"]),
        (Baseline(), ["shop/Stock/v1: the contract was published and is gone"]),
    ],
)  # fmt: skip
def test_requests_are_read_by_the_new_code_and_answers_by_the_old(new, words):
    found = [line for line in said(contract(reserve()), new) if line.startswith("breaks")]
    assert bool(found) == bool(words), found
    for word in words:
        assert any(word in line for line in found), found


def test_an_answer_may_promise_more_and_a_request_may_ask_for_less():
    widest, narrowest = (
        contract(reserve("item: str, n: int | None", "int | None")),
        contract(reserve("item: str, n: int", "int")),
    )
    assert [f.place for f in breaks(diff(widest, narrowest))] == ["shop/Stock/v1.reserve(n)"]
    assert [f.place for f in breaks(diff(narrowest, widest))] == ["shop/Stock/v1.reserve answer"]


def test_what_does_not_break_is_a_note():
    was = event("id: str; email: Personal[str, 'id'] = ''; n: int = 1")
    found = said(was, event("id: str; email: str = ''; n: int = 2"))
    assert [line.split(" ")[0] for line in found] == ["note", "note", "note"]
    assert any("it was personal data" in line for line in found)
    assert any("left out it meant 1 and now means 2" in line for line in found)
    assert any('Raise the minor: version="1.1"' in line for line in found)


def test_a_baseline_survives_its_file(tmp_path):
    path = tmp_path / "levada.contracts.json"
    kept = extended(contract(reserve()), event("id: OrderKey[str]; tea: Tea"))
    path.write_bytes(kept.text())
    assert Baseline.read(path) == kept
    assert diff(Baseline.read(path), kept) == []
    for content, reason in ((b"{", "cannot be read"), (b'{"format": 9}', "newer than this Levada")):
        path.write_bytes(content)
        with pytest.raises(BaselineUnusable, match=reason):
            Baseline.read(path)
    with pytest.raises(BaselineUnusable, match="contract diff --write"):
        Baseline.read(tmp_path / "none.json")


def test_types_of_one_name_and_types_that_hold_themselves_are_told_apart():
    class Node(Struct):
        value: int
        below: "list[Node]" = []

    Node.__annotations__["below"] = list[Node]
    older = event("id: str; root: Node", Node=Node)
    assert breaks(diff(older, event("id: str; root: Node", "1.1", Node=Node))) == []
    other = msgspec.defstruct("Node", [("value", str)])
    assert any(
        ".root.value: it was int and is now str" in line
        for line in said(older, event("id: str; root: Node", Node=other))
    )
