"""Importers: what an organisation has, read into the network with evidence."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points

from levada.landscape.importers.protocol import (
    Context,
    Finishes,
    Importer,
    Item,
    Malformed,
    SourceFile,
    Verified,
)

__all__ = ["Context", "Finishes", "Importer", "Item", "Malformed", "SourceFile", "Verified", "importers"]

_BUILT_IN = (
    "tables:CsvFolder",
    "tables:NetworkText",
    "levada_apps:LevadaMap",
    "levada_apps:LevadaApp",
    "nais:Nais",
    "compose:Compose",
    "kubernetes:Kubernetes",
    "spring:Spring",
    "dotnet:DotNet",
    "mule:Mule",
    "n8n:N8n",
    "workato:Workato",
    "camel:Camel",
    "node_red:NodeRed",
    "logic_apps:LogicApps",
    "azure_functions:AzureFunctions",
    "traces:Traces",
    "access_logs:AccessLogs",
    "scripts:Scripts",
    "systemd:Systemd",
    "sql:Sql",
    "descriptions:OpenApi",
    "descriptions:AsyncApi",
    "descriptions:Raml",
    "descriptions:Wsdl",
    "backstage:Backstage",
    "kafka:Kafka",
    "gateways:Nginx",
    "gateways:Envoy",
    "gateways:Kong",
    "architecture:ArchiMate",
    "architecture:NamedColumns",
    "terraform:Terraform",
    "cloudformation:CloudFormation",
    "serverless:Serverless",
)


def importers() -> list[Importer]:
    """A fresh instance of every importer: Levada's own, then those of installed packages.

    A package offers one under the entry point group ``levada.importers``.
    """
    out: list[Importer] = []
    for place in _BUILT_IN:
        module, _, name = place.partition(":")
        out.append(getattr(import_module(f"levada.landscape.importers.{module}"), name)())
    out.extend(point.load()() for point in entry_points(group="levada.importers"))
    return out
