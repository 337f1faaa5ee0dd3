"""The mixed-integer program of a blueprint, given to HiGHS.

Minimise the sum of y_j open_j + sum of x_ik cost_ik, each flow one of its options or
direct; x_ik <= y_via for each flow and y_j <= y_n for each n that j needs (the strong form:
its relaxation is nearly whole); loads within capacities. Only y has to be whole unless a
capacity can bind: for fixed y the cheapest x is.
"""

from __future__ import annotations

import functools
import os
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from levada._errors import LevadaError
from levada.landscape._blueprint_search import search

if TYPE_CHECKING:
    from levada.landscape.blueprint_choice import Candidate, Question

__all__ = ["LandscapeExtra", "solve"]


class LandscapeExtra(LevadaError, code="LV1912"):
    """{what} needs the package {package}: install levada with the extra landscape (pip install 'levada[landscape]')"""


class _Rows:
    """Rows of the program, in the form that HiGHS takes at once."""

    def __init__(self) -> None:
        self.upper: list[float] = []
        self.starts: list[int] = [0]
        self.columns: list[int] = []
        self.values: list[float] = []

    def add(self, terms: Sequence[tuple[int, float]], upper: float) -> None:
        self.columns += [c for c, _ in terms]
        self.values += [v for _, v in terms]
        self.starts.append(len(self.columns))
        self.upper.append(upper)


class _Program:
    """Columns and rows of one group: first y of what could be open, then x of each way of each flow."""

    def __init__(
        self,
        flows: Sequence[Question],
        candidates: Sequence[Candidate],
        chain: Sequence[tuple[int, ...]],
        members: Sequence[int],
        used: Sequence[int],
        live: dict[int, list[int]],
    ) -> None:
        self.rows = _Rows()
        self.y = {j: n for n, j in enumerate(used)}
        self.cost = [candidates[j].cost for j in used]
        self.x: dict[int, tuple[int, int]] = {}
        self.constant = sum(flows[i].direct for i in members)
        for j in used:
            for n in candidates[j].needs:
                self.rows.add(((self.y[j], 1.0), (self.y[n], -1.0)), 0.0)
        load: dict[int, list[tuple[int, float]]] = defaultdict(list)
        for i in members:
            flow = flows[i]
            own = [self._way(i, k, flow) for k in live[i]]
            if len(own) > 1:
                self.rows.add([(column, 1.0) for column in own], 1.0)
            if flow.load:
                for column, k in zip(own, live[i], strict=True):
                    for j in chain[flow.options[k].via]:
                        load[j].append((column, flow.load))
        self.binding = self._bind(load, candidates)

    def _way(self, i: int, k: int, flow: Question) -> int:
        option, column = flow.options[k], len(self.cost)
        self.cost.append(option.cost - flow.direct)
        self.x[column] = (i, k)
        self.rows.add(((column, 1.0), (self.y[option.via], -1.0)), 0.0)
        return column

    def values(
        self, options: dict[int, int], chain: Sequence[tuple[int, ...]], flows: Sequence[Question]
    ) -> list[float]:
        """The columns' values of a choice."""
        out = [0.0] * len(self.cost)
        for column, (i, k) in self.x.items():
            if options.get(i) == k:
                out[column] = 1.0
                for j in chain[flows[i].options[k].via]:
                    out[self.y[j]] = 1.0
        return out

    def price(self, values: Sequence[float]) -> float:
        """What these values cost, without the constant."""
        return sum(c * v for c, v in zip(self.cost, values, strict=True))

    def _bind(self, load: dict[int, list[tuple[int, float]]], candidates: Sequence[Candidate]) -> bool:
        """Add the capacities that could be exceeded; whether there is one."""
        tight = [j for j, terms in load.items() if sum(v for _, v in terms) > candidates[j].capacity]
        for j in tight:
            self.rows.add(load[j], candidates[j].capacity)
        return bool(tight)


def solve(
    flows: Sequence[Question],
    candidates: Sequence[Candidate],
    chain: Sequence[tuple[int, ...]],
    members: Sequence[int],
    used: Sequence[int],
    live: dict[int, list[int]],
    options: list[int | None],
    seconds: float,
) -> float:
    """Decide ``members`` over ``used``, write into ``options``; returns a lower bound of their cost."""
    try:
        import highspy
    except ImportError as exc:
        raise LandscapeExtra(what="The blueprint", package="highspy") from exc
    until = time.monotonic() + seconds
    made = _Program(flows, candidates, chain, members, used, live)
    solver = _Solver(highspy, made.cost, made.rows)
    values, bound = solver.relaxed(0.6 * seconds)
    whole = len(made.cost) if made.binding else len(used)
    if values is not None and not any(1e-7 < v < 1 - 1e-7 for v in values[:whole]):
        _take(made, flows, chain, used, live, members, values, options)
        return made.constant + bound
    found, proven = search(
        flows, candidates, chain, members, live, max(0.5, 0.3 * (until - time.monotonic()))
    )
    bound = max(bound, proven - made.constant)
    start = made.values(found, chain, flows)
    values, branched = solver.branched(whole, start, max(0.5, until - time.monotonic()))
    best = made.price(start)
    if values is not None and made.price(values) < best - 1e-9:
        _take(made, flows, chain, used, live, members, values, options)
    else:
        for i in members:
            options[i] = found.get(i)
    return made.constant + max(bound, branched)


def _take(
    made: _Program,
    flows: Sequence[Question],
    chain: Sequence[tuple[int, ...]],
    used: Sequence[int],
    live: dict[int, list[int]],
    members: Sequence[int],
    values: Sequence[float],
    options: list[int | None],
) -> None:
    if made.binding:
        for column, (i, k) in made.x.items():
            if values[column] > 0.5:
                options[i] = k
        return
    opened = {j for j in used if values[made.y[j]] > 0.5}
    _polish(flows, chain, opened, live, members, options)


def _polish(
    flows: Sequence[Question],
    chain: Sequence[tuple[int, ...]],
    opened: set[int],
    live: dict[int, list[int]],
    members: Sequence[int],
    options: list[int | None],
) -> None:
    """Give each flow the cheapest way over what is open: a fractional x between equals becomes whole."""
    for i in members:
        kept = [k for k in live[i] if opened.issuperset(chain[flows[i].options[k].via])]
        options[i] = min(kept, key=lambda k: flows[i].options[k].cost) if kept else None


@functools.cache
def _greeted() -> None:
    """Have HiGHS print its banner to nowhere.

    The first solver of a process prints it to standard output whatever its options are, and
    standard output is where ``--json`` goes.
    """
    import ctypes

    import highspy

    library: Any = ctypes.CDLL(None)
    sys.stdout.flush()
    library.fflush(None)
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        highspy.Highs()
        library.fflush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


class _Solver:
    """One program in HiGHS: first relaxed, then with whole columns."""

    def __init__(self, highspy: Any, cost: list[float], rows: _Rows) -> None:
        import numpy as np

        if os.name == "posix":
            _greeted()
        self._highspy, self._np, self._cost = highspy, np, cost
        self._highs = highspy.Highs()
        for name, value in (("output_flag", False), ("mip_rel_gap", 1e-7), ("threads", 1)):
            self._highs.setOptionValue(name, value)
        n, m = len(cost), len(rows.upper)
        lp = highspy.HighsLp()
        lp.num_col_, lp.num_row_ = n, m
        lp.col_cost_ = np.array(cost)
        lp.col_lower_, lp.col_upper_ = np.zeros(n), np.ones(n)
        lp.row_lower_, lp.row_upper_ = np.full(m, -np.inf), np.array(rows.upper)
        lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
        lp.a_matrix_.start_ = np.array(rows.starts, dtype=np.int32)
        lp.a_matrix_.index_ = np.array(rows.columns, dtype=np.int32)
        lp.a_matrix_.value_ = np.array(rows.values)
        self._highs.passModel(lp)

    def relaxed(self, seconds: float) -> tuple[list[float] | None, float]:
        """Values and bound of the relaxation; no values if it is not done in time."""
        floor = sum(min(0.0, c) for c in self._cost)
        self._run(seconds)
        if self._highs.getModelStatus() != self._highspy.HighsModelStatus.kOptimal:
            return None, floor
        return list(self._highs.getSolution().col_value), self._highs.getInfo().objective_function_value

    def branched(self, whole: int, start: list[float], seconds: float) -> tuple[list[float] | None, float]:
        """Values and bound with the first ``whole`` columns whole, begun with ``start``."""
        highspy, np = self._highspy, self._np
        every = np.arange(whole, dtype=np.int32)
        self._highs.changeColsIntegrality(whole, every, np.full(whole, highspy.HighsVarType.kInteger))
        given = highspy.HighsSolution()
        given.col_value = start
        self._highs.setSolution(given)
        self._run(seconds)
        info = self._highs.getInfo()
        values = list(self._highs.getSolution().col_value)
        bound = info.mip_dual_bound
        usable = info.primal_solution_status == 2 and len(values) == len(self._cost)
        return values if usable else None, bound if bound == bound else float("-inf")

    def _run(self, seconds: float) -> None:
        self._highs.setOptionValue("time_limit", self._highs.getRunTime() + seconds)  # its clock runs on
        self._highs.run()
