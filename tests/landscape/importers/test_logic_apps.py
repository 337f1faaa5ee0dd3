"""Logic Apps of the Standard plan: connections, parameters and settings beside the workflows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from levada.landscape.mapping import Mapped, map_folders

SCHEMA = "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#"
CONNECTIONS = {
    "managedApiConnections": {
        "crm": {
            "api": {"id": "/subscriptions/1/managedApis/commondataservice"},
            "displayName": "Cases",
        },
        "bus": {"api": {"id": "/subscriptions/@{appsetting('S')}/managedApis/servicebus"}},
    },
    "serviceProviderConnections": {
        "sql": {
            "parameterValues": {"serverName": "orders.database.windows.net", "databaseName": "orders"},
            "serviceProvider": {"id": "/serviceProviders/sql"},
        },
        "ledger": {
            "parameterValues": {"connectionString": "@appsetting('LEDGER')"},
            "serviceProvider": {"id": "/serviceProviders/sql"},
            "displayName": "Ledger",
        },
        "queue": {"serviceProvider": {"id": "/serviceProviders/serviceBus"}},
    },
    "functionConnections": {"tax": {"function": {"id": "/subscriptions/1/sites/tax-app/functions/Rate"}}},
}


def _app(
    folder: Callable[[dict[str, str]], Path], triggers: dict[str, Any], actions: dict[str, Any]
) -> Mapped:
    definition = {"$schema": SCHEMA, "triggers": triggers, "actions": actions}
    files = {
        "shop/connections.json": CONNECTIONS,
        "shop/parameters.json": {
            "Erp": {"type": "String", "value": "@appsetting('ERP_URL')"},
            "Tables": {"type": "String", "value": "@appsetting('TABLES_URL')"},
        },
        "shop/local.settings.json": {
            "Values": {"APP_KIND": "workflowapp", "ERP_URL": "https://erp.acme.org"}
        },
        "shop/host.json": {},
        "shop/place/workflow.json": {"definition": definition},
    }
    return map_folders([folder({k: json.dumps(v, indent=1) for k, v in files.items()})])


def _managed(reference: str, path: str, method: str = "get") -> dict[str, Any]:
    host = {"connection": {"name": None, "referenceName": reference}}
    return {"type": "ApiConnection", "inputs": {"host": host, "method": method, "path": path}}


def _provided(connection: str, operation: str, **parameters: str) -> dict[str, Any]:
    said = {
        "connectionName": connection,
        "operationId": operation,
        "serviceProviderId": f"/serviceProviders/{connection}",
    }
    return {
        "type": "ServiceProvider",
        "inputs": {"parameters": parameters, "serviceProviderConfiguration": said},
    }


def test_connections_are_followed_to_what_they_lead_to(folder: Callable[[dict[str, str]], Path]) -> None:
    mapped = _app(
        folder,
        {"got": _managed("bus", "/@{encodeURIComponent(encodeURIComponent('placed'))}/messages/head/peek")},
        {
            "cases": _managed(
                "crm", "/v2/datasets/x/tables/@{encodeURIComponent(encodeURIComponent('incidents'))}/items"
            ),
            "done": _managed(
                "bus", "/@{encodeURIComponent(encodeURIComponent('placed'))}/messages/complete", "delete"
            ),
            "tell": _managed("bus", "/@{encodeURIComponent('shipped')}/messages", "post"),
            "keep": _provided("sql", "executeQuery", tableName="[dbo].[orders]"),
            "book": _provided("ledger", "executeStoredProcedure", storedProcedureName="book"),
            "send": _provided("queue", "sendMessage", entityName="labels"),
            "rate": {"type": "Function", "inputs": {"function": {"connectionName": "tax"}}},
            "erp": {"type": "Http", "inputs": {"uri": "@{parameters('Erp')}/orders"}},
        },
    )
    assert set(mapped.network.flows) == {
        "logic-apps/place > azure-service-bus [placed] (async/azure-service-bus)",
        "logic-apps/place > azure-service-bus [shipped] (async/azure-service-bus)",
        "logic-apps/place > azure-service-bus [labels] (async/azure-service-bus)",
        "logic-apps/place > dataverse [incidents] (sync/http)",
        "logic-apps/place > orders.database.windows.net [dbo.orders] (db/mssql)",
        "logic-apps/place > mssql/shop-ledger [book] (db/mssql)",
        "logic-apps/place > tax-app [Rate] (sync/http)",
        "logic-apps/place > erp.acme.org (sync/http)",
    }
    assert mapped.network.nodes["mssql/shop-ledger"].name == "SQL Server (Ledger)"
    assert not [n for n in mapped.network.nodes if n.startswith("azure-functions/")]


def test_an_address_that_only_a_setting_knows_stands_under_it(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    call = {"type": "Http", "inputs": {"uri": "@{parameters('Tables')}/refdata(PartitionKey='a')"}}
    mapped = _app(folder, {}, {"one": call, "two": call})
    assert set(mapped.network.flows) == {
        "logic-apps/place > unresolved:logic-apps/place/TABLES_URL (sync/http)"
    }
    (told,) = [f for f in mapped.network.findings if f.kind == "unresolved-setting"]
    assert told.text == "logic-apps/place: TABLES_URL has no value in its settings"
