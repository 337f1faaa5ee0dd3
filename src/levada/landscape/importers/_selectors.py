"""Which workloads a selector of labels means."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

__all__ = ["Selected"]


class Selected:
    """The workloads that a selector means, found by the rarest of its labels: a cluster has thousands.

    Args:
        labels: Namespace and workload -> the labels of its pods.
    """

    def __init__(self, labels: Mapping[tuple[str, str], Mapping[str, str]]) -> None:
        self._labels = labels
        self._having: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for (namespace, workload), own in labels.items():
            for key, value in own.items():
                self._having[namespace, key, value].append(workload)

    def __call__(self, namespace: str, selector: Mapping[str, Any]) -> list[str]:
        """Those of the namespace that have all of the labels, in the order in which they were read; none for none."""
        wanted = {str(k): str(v) for k, v in selector.items()}
        having = [self._having.get((namespace, k, v), []) for k, v in wanted.items()]
        rarest = min(having, key=len, default=[])
        return [w for w in rarest if wanted.items() <= self._labels[namespace, w].items()]
