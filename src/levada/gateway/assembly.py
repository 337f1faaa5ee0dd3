"""From an app to what its gateway is told: one route for each operation that is offered outside."""

from __future__ import annotations

import re
from collections.abc import Mapping

from levada.app import App
from levada.gateway.errors import PlanInvalid
from levada.gateway.model import Plan, Route, per_second

__all__ = ["plans_of", "routes_of"]


def routes_of(app: App) -> list[Route]:
    """The routes of an app's Experience APIs: nothing else is offered outside."""
    routes: list[Route] = []
    for contract_id, local in sorted(app.plan.served.items()):
        contract = local.contract
        if contract.layer != "experience":
            continue
        for name, operation in contract.operations.items():
            routes += [
                Route(
                    operation=contract.operation_id(name),
                    method=operation.method,
                    path=base.rstrip("/") + operation.path,
                    product=contract_id,
                    timeout=operation.timeout or app.settings.deadline,
                )
                for base in (contract.path, *contract.paths)
            ]
        routes.append(
            Route(
                operation=f"{contract_id}.openapi",
                method="GET",
                path=f"{contract.path}/openapi.json",
                product=contract_id,
                open=True,
            )
        )
    return routes


def plans_of(rates: Mapping[str, str]) -> list[Plan]:
    """Plans of their rates, ``{"gold": "600/min"}``.

    Raises:
        PlanInvalid: A rate is none.
    """
    plans: list[Plan] = []
    for name, rate in rates.items():
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,100}", name):
            raise PlanInvalid(plan=name, reason="a plan's name has letters, digits, '-', '.' and '_'")
        try:
            calls, seconds = per_second(rate)
        except ValueError as error:
            raise PlanInvalid(plan=name, reason=str(error)) from None
        plans.append(Plan(name=name, calls=calls, seconds=seconds))
    return plans
