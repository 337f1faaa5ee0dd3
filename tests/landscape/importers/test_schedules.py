"""What exports say of when a flow runs, and how long the plan watches it for that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from levada.landscape.mapping import map_folders
from levada.landscape.plan import watch_days

Folder = Callable[[dict[str, str]], Path]


def watches(root: Path) -> dict[str, int]:
    """The days for each flow."""
    return {f.id: watch_days([f]) for f in map_folders([root]).network.flows.values()}


@pytest.mark.parametrize("column", ["Frequency", "Turnus"])
@pytest.mark.parametrize(
    ("said", "days"),
    [("quarterly", 184), ("once a year", 732), ("monatlich", 62), ("on demand", 35), ("", 35), ("daily", 7)],
)
def test_a_column_of_a_sheet(folder: Folder, column: str, said: str, days: int) -> None:
    rows = f"Consumer;Provider;Protocol;{column}\ncrm;erp;SOAP;{said}\n"
    assert list(watches(folder({"list.csv": rows})).values()) == [days]
    listed = f"consumer,provider,{column}\ncrm,erp,{said}\n"
    assert list(watches(folder({"list.csv": "", "flows.csv": listed})).values()) == [days]
