"""The cost parameters of a blueprint, from one file: value, unit, source each."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

from msgspec import Struct

from levada._errors import LevadaError, plainly
from levada.network.graph import Flow

__all__ = [
    "Costs", "CostsError", "Parameter", "breaking_hours", "direct_hours", "flow_hours", "load_costs", "trouble_hours",
]  # fmt: skip


class CostsError(LevadaError, code="LV1911"):
    """The cost parameters {path} cannot be used: {problem}. Names, units and defaults: levada blueprint --parameters"""


class Parameter(Struct, frozen=True):
    """One figure that the blueprint counts with."""

    value: float
    unit: str
    source: str


class Costs(Struct, frozen=True):
    """Parameters by name; ``costs["horizon"]`` is the value."""

    parameters: dict[str, Parameter]

    def __getitem__(self, name: str) -> float:
        return self.parameters[name].value

    def scaled(self, name: str, factor: float) -> Costs:
        """These with one value multiplied."""
        return self.with_value(name, self.parameters[name].value * factor)

    def with_value(self, name: str, value: float) -> Costs:
        """These with another value of one."""
        p = self.parameters[name]
        return Costs({**self.parameters, name: Parameter(value, p.unit, p.source)})


def load_costs(path: Path | None = None) -> Costs:
    """The default parameters, with those of ``path`` in their place.

    Raises:
        CostsError: the file is no TOML, or has an unknown name or a value that is no number of 0 or more.
    """
    text = files("levada.landscape").joinpath("blueprint_costs.toml").read_text(encoding="utf-8")
    held = {name: Parameter(**row) for name, row in tomllib.loads(text).items()}
    if path is not None:
        try:
            own: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
            raise CostsError(path=path, problem=plainly(exc)) from exc
        for name, row in own.items():
            held[name] = _own(path, name, row, held)
    return Costs(held)


def _own(path: Path, name: str, row: Any, held: dict[str, Parameter]) -> Parameter:
    if name not in held:
        raise CostsError(path=path, problem=f"there is no parameter {name}")
    value: Any = row.get("value") if isinstance(row, dict) else row  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - TOML
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise CostsError(path=path, problem=f"{name} is no number of 0 or more")
    source: Any = row.get("source", path.name) if isinstance(row, dict) else path.name  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - TOML
    return Parameter(float(value), held[name].unit, str(source))  # pyright: ignore[reportUnknownArgumentType] - TOML


def flow_hours(flow: Flow, costs: Costs) -> tuple[float, float, bool]:
    """What a direct flow costs now: hours a month of upkeep, of errors and incidents, and whether upkeep is imputed."""
    imputed = flow.hours_month is None
    upkeep = costs[f"direct_{flow.mode}"] if flow.hours_month is None else flow.hours_month
    return upkeep, trouble_hours(flow, costs), imputed


def trouble_hours(flow: Flow, costs: Costs) -> float:
    """Hours a month of errors and incidents; those that are unknown add nothing: they are not made up."""
    trouble = 0.0
    if flow.errors_day is not None:
        trouble += flow.errors_day * 30 * costs["error_minutes"] / 60
    if flow.incidents_90d is not None:
        trouble += flow.incidents_90d / 3 * costs["incident_hours"]
    return trouble


def breaking_hours(costs: Costs) -> float:
    """Hours a month that one consumer spends on a provider's breaking changes."""
    return costs["provider_changes"] / 12 * costs["change_hours"]


def direct_hours(flow: Flow, costs: Costs, changes: float = 1.0) -> float:
    """Hours over the horizon that a flow costs if it stays; ``changes`` is the share of changes that reaches it."""
    upkeep, trouble, _ = flow_hours(flow, costs)
    return costs["horizon"] * (upkeep + trouble + changes * breaking_hours(costs))
