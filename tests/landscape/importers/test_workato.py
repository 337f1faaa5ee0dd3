"""Recipes that call others by number, and objects that an export names by their file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from levada.landscape.mapping import map_folders


def _recipe(name: str, *steps: dict[str, Any]) -> str:
    blocks = [{"number": n, "keyword": "action", "uuid": f"u{n}", **s} for n, s in enumerate(steps, 1)]
    return json.dumps(
        {"name": name, "code": {"number": 0, "keyword": "trigger", "provider": "clock", "block": blocks}}
    )


def _call(number: str, label: str) -> dict[str, Any]:
    return {
        "provider": "workato_recipe_function", "name": "call_recipe", "input": {"flow_id": number},
        "dynamicPickListSelection": {"flow_id": label},
    }  # fmt: skip


def test_a_recipe_that_is_called_by_number_is_known_by_its_label(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    read = {
        "provider": "workato_db_table", "name": "get_records",
        "input": {"table_id": {"zip_name": "owners.workato_db_table.json", "name": "Owners"}},
    }  # fmt: skip
    files = {
        "p/a.recipe.json": _recipe("Request", _call("635", "Provision | Access"), _call("636", "Gone")),
        "p/b.recipe.json": _recipe("Provision | Access", read),
    }
    mapped = map_folders([folder(files)])
    assert set(mapped.network.flows) == {
        "workato/request > workato/provision-access (sync/workato)",
        "workato/provision-access > workato-db-table [Owners] (sync/workato-db-table)",
    }
    assert [f.text for f in mapped.network.findings] == [
        "workato/request calls recipe 636, named by number alone"
    ]
