"""What people call systems, flows, APIs and topics; ids stand in the members of JSON and of tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Protocol

from levada.network.graph import Flow, Network

__all__ = ["Names"]

_LAYERS = {"system": "System API", "process": "Process API", "experience": "Experience API", "topic": "topic"}


class _Box(Protocol):
    """An API or topic, built or only thought of."""

    @property
    def id(self) -> str: ...
    @property
    def layer(self) -> str: ...
    @property
    def providers(self) -> tuple[str, ...]: ...
    @property
    def objects(self) -> tuple[str, ...]: ...


class Names:
    """The names of one network; where several systems bear one name, each has its id behind it."""

    def __init__(self, network: Network) -> None:
        shared = Counter(node.name or i for i, node in network.nodes.items())
        self._systems = {
            i: i if not node.name or node.name == i else node.name if shared[node.name] == 1 else f"{node.name} ({i})"
            for i, node in network.nodes.items()
        }  # fmt: skip

    def system(self, node: str) -> str:
        """``ERP``; ``Returns (wms-returns)`` where there is another system called Returns."""
        return self._systems.get(node, node)

    def systems(self, nodes: Iterable[str]) -> list[str]:
        """The names of several systems, in the order of their ids."""
        return [self.system(n) for n in nodes]

    def flow(self, flow: Flow) -> str:
        """The id of the flow with names in place of its ends' ids."""
        ends = f"{flow.consumer} > {flow.provider}"
        return f"{self.system(flow.consumer)} > {self.system(flow.provider)}{flow.id[len(ends) :]}"

    def box(self, box: _Box) -> str:
        """``System API of ERP``, ``topic price of Pricing``."""
        name = box.id.partition(":")[2]
        if len(box.providers) == 1:
            provider = self.system(box.providers[0])
            if box.layer == "system":
                name = f"of {provider}"
            elif box.layer == "topic" and len(box.objects) == 1:
                name = f"{box.objects[0]} of {provider}"
        return f"{_LAYERS[box.layer]} {name}"

    def short(self, box: _Box) -> str:
        """The same without the layer, where a heading says it: ``ERP``, ``price of Pricing``."""
        return self.box(box).removeprefix(_LAYERS[box.layer] + " ").removeprefix("of ")
