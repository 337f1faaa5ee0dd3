"""Where to begin: much volume and pain for little effort, and how sure that order is."""

from __future__ import annotations

import random

from msgspec import Struct

from levada.landscape.blueprint import Blueprint, Built
from levada.landscape.blueprint_costs import Costs, flow_hours
from levada.network.graph import Network

__all__ = ["Ranked", "pilots"]

DRAWS = 200
SPREAD = 0.5


class Ranked(Struct, frozen=True, kw_only=True):
    """One API or topic as a first step; the best first."""

    box: str
    pain: float
    """Hours a month that its flows cost now."""
    imputed: float
    """Hours of it that nobody gave."""
    volume_day: float | None
    """Calls a day of its flows where known; None if of none."""
    effort: float
    """Hours until its flows run over it, with what it needs behind it."""
    pareto: bool
    """Whether no other has less effort and as much pain and volume."""
    stability: float
    """Share of draws, each figure 50 % up or down, in which it stays in the first three."""


def pilots(network: Network, made: Blueprint, costs: Costs) -> list[Ranked]:
    """All of the blueprint as first steps, by pain per effort; the same input gives the same order."""
    own = {b.id: b.effort for b in made.built}
    rows: list[tuple[Built, float, float, float | None, float]] = []
    for box in made.built:
        pain = imputed = 0.0
        volume: float | None = None
        for flow in (network.flows[f] for f in box.flows):
            upkeep, trouble, guessed = flow_hours(flow, costs)
            pain += upkeep + trouble
            imputed += upkeep if guessed else 0.0
            if flow.volume_day is not None:
                volume = (volume or 0.0) + flow.volume_day
        if box.flows:
            rows.append((box, pain, imputed, volume, own[box.id] + sum(own[n] for n in box.needs)))
    rows.sort(key=lambda r: (-_per_hour(r[1], r[4]), r[0].id))
    stay = _stability([(r[1], r[4]) for r in rows])
    return [
        Ranked(
            box=r[0].id,
            pain=r[1],
            imputed=r[2],
            volume_day=r[3],
            effort=r[4],
            pareto=not any(_better(o[1], o[3], o[4], r[1], r[3], r[4]) for o in rows),
            stability=stay[n],
        )
        for n, r in enumerate(rows)
    ]


def _per_hour(pain: float, effort: float) -> float:
    return pain / effort if effort else float("inf")  # at costs of 0, what costs nothing comes first


def _better(p: float, v: float | None, e: float, pain: float, volume: float | None, effort: float) -> bool:
    """Whether the first dominates; an unknown volume neither helps nor hurts."""
    known = v is not None and volume is not None
    if p < pain or e > effort or (known and (v or 0.0) < (volume or 0.0)):
        return False
    return p > pain or e < effort or (known and (v or 0.0) > (volume or 0.0))


def _stability(rows: list[tuple[float, float]]) -> list[float]:
    draw = random.Random(90)
    stayed = [0] * len(rows)
    for _ in range(DRAWS):
        shaken = [
            (
                -_per_hour(
                    p * draw.uniform(1 - SPREAD, 1 + SPREAD), e * draw.uniform(1 - SPREAD, 1 + SPREAD)
                ),
                n,
            )
            for n, (p, e) in enumerate(rows)
        ]
        for _, n in sorted(shaken)[:3]:
            stayed[n] += 1
    return [s / DRAWS for s in stayed]
