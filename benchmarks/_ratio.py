"""Ratios of two sides measured in turn, and how they are told."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ratio:
    """One comparison: the median over rounds, with the interval that holds it with 95 %."""

    name: str
    case: str
    ratio: float
    low: float
    high: float
    goal: float
    op: str = ">="
    ours: str = ""
    theirs: str = ""
    rounds: int = 0

    @property
    def met(self) -> bool:
        """Whether the median keeps the goal."""
        return self.ratio >= self.goal if self.op == ">=" else self.ratio <= self.goal

    def line(self) -> str:
        """The line that a benchmark ends with."""
        return f"bench {self.name}.{self.case} ratio={self.ratio:.2f} goal{self.op}{self.goal:g}"


def ratio_of(
    name: str,
    case: str,
    ours: Sequence[float],
    theirs: Sequence[float],
    goal: float,
    *,
    op: str = ">=",
    unit: str = "/s",
    invert: bool = False,
) -> Ratio:
    """The ratio of pairs of rounds; ``invert``: smaller figures are better (CPU, latency)."""
    pairs = [(b / a if invert else a / b) for a, b in zip(ours, theirs, strict=True)]
    low, high = interval(pairs)
    return Ratio(
        name,
        case,
        statistics.median(pairs),
        low,
        high,
        goal,
        op,
        f"{statistics.median(ours):,.0f} {unit}",
        f"{statistics.median(theirs):,.0f} {unit}",
        len(pairs),
    )


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The order statistics that hold the median with at least 95 % (by the binomial distribution)."""
    import math

    ordered = sorted(values)
    n = len(ordered)
    best = 0
    for k in range(n // 2):
        inside = 1 - 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n
        if inside >= 0.95:
            best = k
    return ordered[best], ordered[n - 1 - best]


RESULTS = Path(__file__).with_name("RESULTS.md")


def write(name: str, ratios: Sequence[Ratio], notes: str) -> None:
    """Replace the section of a benchmark in RESULTS.md."""
    rows = [
        f"| {r.case} | {r.ours} | {r.theirs} | **{r.ratio:.2f}** | {r.low:.2f} to {r.high:.2f} | {r.op} {r.goal:g} | {'met' if r.met else 'not met'} | {r.rounds} |"
        for r in ratios
    ]
    section = "\n".join(
        [
            f"## {name}",
            "",
            notes.strip(),
            "",
            "| case | Levada | peer | ratio | 95 % | goal | | rounds |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    text = (
        RESULTS.read_text()
        if RESULTS.exists()
        else "# Results\n\nWritten by `python -m benchmarks NAME`; medians of interleaved rounds, both sides on the same cores.\n"
    )
    head, *sections = text.split("\n## ")
    kept = {s.split("\n", 1)[0]: s for s in sections}
    kept[name] = section.removeprefix("## ")
    RESULTS.write_text(
        head.rstrip() + "\n\n" + "\n".join("## " + kept[k].rstrip() + "\n" for k in sorted(kept))
    )
