"""Node-RED: what nodes reach through their configuration nodes, within subflows, and what is switched off."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from levada.landscape.mapping import Mapped, map_folders


def _map(folder: Callable[[dict[str, str]], Path], *nodes: dict[str, Any]) -> Mapped:
    wired = [{"wires": [], **n} if "z" in n and not n.pop("setting", None) else n for n in nodes]
    return map_folders([folder({"plant/flows.json": json.dumps(wired, indent=1)})])


TAB = {"id": "t", "type": "tab", "label": "Line 1"}


def test_a_node_nobody_listed_reaches_what_its_configuration_names(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    mapped = _map(
        folder,
        TAB,
        {"id": "h", "type": "server", "name": "Home Assistant"},
        {"id": "d", "type": "acme-plc-config", "name": "Press 7"},
        {"id": "i", "type": "influxdb", "hostname": "127.0.0.1", "port": "8086", "database": "climate"},
        {"id": "o", "type": "opcua-endpoint", "endpoint": "opc.tcp://press.acme.org:4840"},
        {"id": "p", "type": "postgreSQLConfig", "host": "db.acme.org", "database": "mes"},
        {"id": "c", "type": "tls-config", "name": "cert"},
        {"id": "1", "z": "t", "type": "server-state-changed", "server": "h", "queue": "none"},
        {"id": "2", "z": "t", "type": "api-call-service", "server": "h"},
        {"id": "3", "z": "t", "type": "acme-read", "device": "d"},
        {"id": "4", "z": "t", "type": "influxdb out", "influxdb": "i", "measurement": "heat"},
        {"id": "5", "z": "t", "type": "OpcUa-Client", "endpoint": "o"},
        {"id": "6", "z": "t", "type": "postgresql", "postgreSQLConfig": "p"},
        {"id": "7", "z": "t", "type": "http in", "tls": "c"},
    )
    assert set(mapped.network.flows) == {
        "node-red/line-1 > home-assistant (async)",
        "node-red/line-1 > home-assistant (sync)",
        "node-red/line-1 > acme-plc/press-7 (sync)",
        "node-red/line-1 > plant/local-influxdb [heat] (db/influxdb)",
        "node-red/line-1 > press.acme.org (sync/opcua)",
        "node-red/line-1 > db.acme.org [mes] (db/postgresql)",
    }
    assert mapped.network.nodes["acme-plc/press-7"].name == "Press 7 (acme-plc)"


def test_files_sockets_and_an_address_that_a_node_computes(folder: Callable[[dict[str, str]], Path]) -> None:
    mapped = _map(
        folder,
        TAB,
        {"id": "1", "z": "t", "type": "file", "filename": "/data/out.csv", "filenameType": "str"},
        {"id": "2", "z": "t", "type": "file in", "filename": "path", "filenameType": "msg"},
        {"id": "3", "z": "t", "type": "tcp request", "server": "scale.acme.org", "port": "4001"},
        {"id": "4", "z": "t", "type": "tcp in", "server": "server", "port": "4001"},
        {"id": "5", "z": "t", "type": "http request", "name": "Ask", "url": ""},
    )
    assert set(mapped.network.flows) == {
        "node-red/line-1 > node-red/line-1/files [/data/out.csv] (file/file)",
        "node-red/line-1 > node-red/line-1/files (file/file)",
        "node-red/line-1 > scale.acme.org (unknown/tcp)",
    }
    (told,) = mapped.network.findings
    assert told.text == "node-red/line-1: the address that Ask calls is computed at run time"


def test_a_subflow_runs_where_it_is_used_and_what_is_off_runs_nowhere(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    mapped = _map(
        folder,
        TAB,
        {"id": "u", "type": "tab", "label": "Line 2"},
        {"id": "x", "type": "tab", "label": "Old", "disabled": True},
        {"id": "s", "type": "subflow", "name": "Report"},
        {"id": "1", "z": "s", "type": "http request", "url": "https://mes.acme.org/r"},
        {"id": "2", "z": "t", "type": "subflow:s"},
        {"id": "3", "z": "u", "type": "subflow:s", "d": True},
        {"id": "4", "z": "x", "type": "http request", "url": "https://old.acme.org/r"},
        {"id": "5", "z": "u", "type": "http request", "url": "https://off.acme.org/r", "d": True},
    )
    assert set(mapped.network.flows) == {"node-red/line-1 > mes.acme.org (sync/http)"}
    assert set(mapped.network.nodes) == {"node-red/line-1", "node-red/line-2", "mes.acme.org"}
