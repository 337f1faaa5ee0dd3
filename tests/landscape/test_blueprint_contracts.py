"""Skeletons can be imported as they are, whatever systems are called, and give OpenAPI."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

import pytest

from levada.contract import contract_of, is_contract
from levada.contract.openapi import openapi
from levada.landscape.blueprint import Blueprint, Built, Cost, blueprint
from levada.landscape.blueprint_contracts import skeletons
from levada.landscape.sample import sample
from levada.network.graph import Flow, Network, Node


def module(made: Blueprint, path: Path) -> ModuleType:
    path.write_text(skeletons(made), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = found
    spec.loader.exec_module(found)
    return found


def documents(made: Blueprint, path: Path) -> list[dict[str, object]]:
    held = module(made, path)
    classes = [c for _, c in inspect.getmembers(held, inspect.isclass) if c.__module__ == path.stem]
    return [openapi(contract_of(c)) for c in classes if is_contract(c)]


def test_each_api_of_the_sample_has_a_contract(tmp_path: Path) -> None:
    made = blueprint(sample().network)
    found = documents(made, tmp_path / "skeleton_sample.py")
    assert len(found) == len(made.apis) > 0
    assert all(d["paths"] for d in found)


@pytest.mark.parametrize(
    "name", ['"""; raise SystemExit', "class", "42", "Ä ö", "a\\", "x\ny", "Event", "struct", "str"]
)
def test_no_name_breaks_the_module(name: str, tmp_path: Path) -> None:
    flows = [Flow(consumer=f"c{i}", provider=name, object=name, mode="db") for i in range(9)]
    flows += [Flow(consumer=f"c{i}", provider="erp", object=name, mode="sync") for i in range(9)]
    flows += [Flow(consumer=f"c{i}", provider="erp", object="x", mode="async") for i in range(9)]
    ends = sorted({e for f in flows for e in (f.consumer, f.provider)})
    made = blueprint(Network.of([Node(id=e, domain=name) for e in ends], flows))
    assert made.built
    assert len(documents(made, tmp_path / "skeleton_names.py")) == len(made.apis)


@pytest.mark.parametrize(
    ("objects", "paths"),
    [
        (["/v1/invoices", "/v1/invoices/{}"], {"/v1-invoices/{id}"}),
        (["/invoices/{invoiceId}", "/invoices/:id", "/invoices/"], {"/invoices/{id}"}),
        (["Sales Order", "sales_order", "SALES-ORDER"], {"/sales-order/{id}"}),
        (["/orders/{}/lines", "/orders/{}"], {"/orders-lines/{id}", "/orders/{id}"}),
        (["заказ", "счёт", "Заказ"], {"/x/{id}", "/x2/{id}"}),
        (["/", "/{}", "{}"], {"/x/{id}"}),
        (["a b", "a", "a2", "A!"], {"/a-b/{id}", "/a/{id}", "/a2/{id}"}),
        (["é", "è", "x2"], {"/x/{id}", "/x2/{id}", "/x22/{id}"}),
    ],
)
def test_one_operation_for_words_that_say_the_same(
    objects: list[str], paths: set[str], tmp_path: Path
) -> None:
    box = Built(
        id="api:billing", layer="system", providers=("billing",), consumers=("shop",), objects=tuple(objects), owner=None,
        domain=None, flows=(), saves=1.0, effort=1.0, needs=(), contract=None, reason="",
    )  # fmt: skip
    made = Blueprint(cost=Cost(1.0, 1.0, 1.0, 0.0), apis=(box,), topics=(), ledger=())
    [document] = documents(made, tmp_path / "skeleton_words.py")
    found = document["paths"]
    assert isinstance(found, dict)
    assert {"/" + str(p).rsplit("/", 2)[-2] + "/{id}" for p in found} == paths
