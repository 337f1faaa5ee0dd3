"""``levada describe``: the network of an app, as text, JSON or a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from cyclopts import Parameter

from levada._errors import LevadaError
from levada._whole import write_whole
from levada.cli._shown import json_text

if TYPE_CHECKING:
    from rich.tree import Tree

    from levada.deployment.configuration import Configuration
    from levada.network.graph import Flow, Network, Node

__all__ = ["ApiUnclear", "describe"]

Format: TypeAlias = Literal["tree", "json", "mermaid", "svg", "openapi", "asyncapi"]
Picture: TypeAlias = Literal["tree", "json", "mermaid", "svg"]
COLOURS = {"experience": "magenta", "process": "blue", "system": "green"}


class ApiUnclear(LevadaError, code="LV1830"):
    """{reason}: say which with --api. Of this kind there are: {known}."""


def describe(
    *,
    config: Path = Path("levada.toml"),
    env: str | None = None,
    format: Format = "tree",
    api: str | None = None,
    json: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
) -> int:
    """Show the network of an app: its APIs, what they call, which events they publish, handle and await.

    Or the document of one API, as it is served beside it. Nothing is started and no secret is read.

    Args:
        config: The configuration, or the folder it is in.
        env: The environment, whose levada.ENV.toml overlays it.
        format: tree for people, json for programs, mermaid for Markdown, svg for a picture; openapi (3.1) for the
            operations of one API, asyncapi (3.0) for its events.
        api: Which API's document, ``sales/Orders/v1``; needed where there are several.
        json: The same as --format json.
        out: Write it there instead of to the terminal.

    Examples:
        levada describe
        levada describe --format svg --out network.svg
        levada describe --format openapi --api sales/Orders/v1
    """
    from levada.catalog.describe import describe as describe_network
    from levada.deployment.configuration import load_configuration

    configuration = load_configuration(config, env)
    if format in ("openapi", "asyncapi"):
        text = document(configuration, format, api)
    else:
        network = describe_network(configuration)
        chosen: Picture = "json" if json else format
        if chosen == "tree" and out is None:
            from rich.console import Console

            console = Console(highlight=False)
            console.print(tree(network))
            return 0
        text = rendered(network, chosen)
    if out is None:
        sys.stdout.write(text)
    else:
        write_whole(out, text)
    return 0


def document(configuration: Configuration, format: Literal["openapi", "asyncapi"], api: str | None) -> str:
    """The document of an API, as it is served at ``{its path}/openapi.json`` and ``asyncapi.json``.

    Raises:
        ApiUnclear: There is none of this name, none at all, or several and none was named.
    """
    from levada.app.document import made
    from levada.catalog.describe import stand_in

    found = {
        name: documents[format]
        for name, local in sorted(stand_in(configuration).plan.served.items())
        if format in (documents := made(local.implementation))
    }
    known = ", ".join(found) or "none"
    if api is not None and api not in found:
        raise ApiUnclear(reason=f"{api} is no API with such a document here", known=known)
    if api is None and len(found) != 1:
        raise ApiUnclear(reason="A document is of one API", known=known)
    made_of = found[api if api is not None else next(iter(found))]
    return json_text(made_of())


def rendered(network: Network, format: Picture) -> str:
    """The network in a format, as text."""
    if format == "json":
        from levada.network.view import as_map

        return json_text(as_map(network))
    if format == "mermaid":
        from levada.catalog.mermaid import to_mermaid

        return to_mermaid(network)
    if format == "svg":
        from levada.catalog.drawing import to_svg

        return to_svg(network)
    from io import StringIO

    from rich.console import Console

    written = StringIO()
    Console(file=written, width=120, highlight=False).print(tree(network))
    return written.getvalue()


def tree(network: Network) -> Tree:
    """The APIs by layer, each with what it calls, takes, publishes and uses."""
    from rich.tree import Tree

    root = Tree(_head(network), guide_style="dim")
    for layer in ("experience", "process", "system"):
        apis = [n for n in network.nodes.values() if n.kind == "api" and n.layer == layer]
        if not apis:
            continue
        band = root.add(f"[bold {COLOURS[layer]}]{layer}[/]")
        for api in sorted(apis, key=lambda n: n.id):
            _api(band, api, network)
    return root


def _head(network: Network) -> str:
    def count(kinds: tuple[str, ...]) -> int:
        return sum(1 for n in network.nodes.values() if n.kind in kinds)

    return (
        f"[bold]{count(('api',))}[/] APIs  [bold]{count(('event',))}[/] events  "
        f"[bold]{count(('db', 'app', 'saas', 'record'))}[/] systems"
    )


def _api(band: Tree, api: Node, network: Network) -> None:
    from rich.markup import escape

    facts = api.attributes
    by = f"by {facts['kept_by']}" if "kept_by" in facts else f"at {facts.get('url', '?')}"
    branch = band.add(
        f"[bold]{escape(api.id)}[/]  [dim]{escape(str(facts.get('version', '')))} {escape(by)}[/]"
    )
    for flow in sorted(network.flows.values(), key=lambda f: f.id):
        if (line := _line(api.id, flow, network)) is not None:
            branch.add(line)


def _line(api: str, flow: Flow, network: Network) -> str | None:
    """What a flow is, seen from an API; None: it is shown at its other end."""
    from rich.markup import escape

    relations: Any = flow.attributes.get("relations", ())
    if flow.provider == api and "publishes" in relations:
        return f"[yellow]publishes[/] {escape(flow.consumer)}"
    if flow.provider == api and "serves" in relations:
        return f"[cyan]serves[/] {escape(network.nodes[flow.consumer].name)}"
    if flow.consumer != api:
        return None
    provider = network.nodes[flow.provider]
    if "calls" in relations:
        names = ", ".join(flow.attributes.get("operations", ()))
        away = "" if flow.protocol == "in-process" else f" [dim]over {flow.protocol}[/]"
        return f"calls {escape(flow.provider)}{f': {escape(names)}' if names else ''}{away}"
    if "uses" in relations:
        kind = provider.attributes.get("kind")
        return f"[dim]uses[/] {escape(provider.name)}{f' [dim]({kind})[/]' if kind else ''}"
    handlers = ", ".join(flow.attributes.get("handlers", ()))
    return f"[yellow]{' and '.join(relations)}[/] {escape(flow.provider)}{f' [dim]in {escape(handlers)}[/]' if handlers else ''}"
