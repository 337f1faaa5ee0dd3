"""Shapes of Mule projects that a first reading misses: each was once read wrong."""

from collections.abc import Callable
from pathlib import Path

import pytest

from levada.landscape.importers._products import by_host
from levada.landscape.mapping import Mapped, map_folders

MULE = "http://www.mulesoft.org/schema/mule"
SPACES = " ".join(
    f'xmlns:{p}="{MULE}/{p}"'
    for p in ("http", "db", "file", "jms", "quartz", "tcp", "vm", "ws", "acme-log", "acme-orders", "sqs")
)


def _app(body: str, name: str = "app", kind: str = "mule", **more: str) -> dict[str, str]:
    space = f"{MULE}/core" if kind == "mule" else f"{MULE}/domain"
    core = "" if kind == "mule" else f' xmlns:c="{MULE}/core"'
    return {
        f"{name}/pom.xml": f"<project><artifactId>{name}</artifactId></project>",
        f"{name}/src/main/mule/a.xml": f'<{kind} xmlns="{space}"{core} {SPACES}>{body}</{kind}>',
        **{f"{name}/src/main/resources/{k}.properties": v for k, v in more.items()},
    }


ENDPOINTS = (
    '<jms:activemq-connector name="mq" brokerURL="tcp://mq.acme.org:61616"/>'
    '<jms:endpoint name="in" queue="orders" connector-ref="mq"/><jms:endpoint name="out" queue="invoices" connector-ref="mq"/>'
    '<quartz:connector name="clock"/><tcp:connector name="wire"/><vm:endpoint name="within" path="x"/>'
)

CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "Mule 3: endpoints that flows name, sockets that are listened on, messages within": (
        _app(
            ENDPOINTS + '<flow name="f"><inbound-endpoint ref="in"/><outbound-endpoint ref="within"/></flow>'
            '<flow name="g"><tcp:inbound-endpoint host="0.0.0.0" port="5001" connector-ref="wire"/><outbound-endpoint ref="out"/></flow>'
        ),
        {"app > mq.acme.org [orders] (async/jms)", "app > mq.acme.org [invoices] (async/jms)"},
    ),
    "Mule 3: a consumer of a SOAP service calls it": (
        _app(
            '<ws:consumer-config name="c" serviceAddress="https://desk.acme.org/soap"/>'
            '<flow name="f"><ws:consumer config-ref="c" operation="Open"/></flow>'
        ),
        {"app > desk.acme.org [Open] (sync/soap)"},
    ),
    "a logger of one's own, a connector made from an API": (
        _app(
            '<acme-log:config name="l" level="INFO"/><acme-orders:config name="o" host="orders.acme.org" basePath="/api" protocol="HTTPS"/>'
            '<flow name="f"><acme-log:custom-logger config-ref="l"/><acme-orders:get-orders config-ref="o"/></flow>'
        ),
        {"app > orders.acme.org (sync/http)"},
    ),
    "a table and a directory that are listened to, a path below a base": (
        _app(
            '<db:config name="d"><db:my-sql-connection host="db.acme.org"/></db:config><file:config name="f"/>'
            '<http:request-config name="h" basePath="/rest"><http:request-connection host="crm.acme.org"/></http:request-config>'
            '<flow name="a"><db:listener config-ref="d" table="orders"/></flow><flow name="b"><file:listener config-ref="f" directory="in"/>'
            '<http:request config-ref="h" path="/customers"/></flow>'
        ),
        {
            "app > db.acme.org [orders] (db/mysql)", "app > app/files [in] (file/file)",
            "app > crm.acme.org [/rest/customers] (sync/http)",
        },
    ),
    "a queue of AWS by its product and by its address": (
        _app(
            '<sqs:config name="a" queueUrl="https://sqs.eu-west-1.amazonaws.com/1/orders"/><sqs:config name="b"/>'
            '<flow name="f"><sqs:read config-ref="a"/></flow><flow name="g"><sqs:read config-ref="b"/></flow>'
        ),
        {"app > aws-sqs (async/sqs)"},
    ),
    "settings that two projects call the same, and one that is encrypted": (
        {
            **_app('<db:config name="d"><db:my-sql-connection host="${db.host}"/></db:config>'
                   '<flow name="f"><db:select config-ref="d"><db:sql>select * from t</db:sql></db:select></flow>'),
            **_app('<configuration-properties file="p.properties"/><db:config name="d"><db:my-sql-connection host="${secure::db.host}"/></db:config>'
                   '<flow name="f"><db:select config-ref="d"><db:sql>select * from t</db:sql></db:select></flow>',
                   "crm", p="db.host=![8kEKoCkCs6=]\n"),
        },
        {"app > unresolved:app/db.host [t] (db/mysql)", "crm > unresolved:crm/db.host [t] (db/mysql)"},
    ),
    "what a domain shares is filled from the domain's own settings": (
        {
            **_app('<c:configuration-properties file="d.properties"/><db:config name="shared"><db:my-sql-connection host="${db.host}"/></db:config>',
                   "estate", "mule-domain", d="db.host=db.acme.org\n"),
            **_app('<flow name="f"><db:select config-ref="shared"><db:sql>select * from t</db:sql></db:select></flow>'),
        },
        {"app > db.acme.org [t] (db/mysql)"},
    ),
    "a broker that is nowhere named is the project's own": (
        {
            **_app('<jms:config name="q"><jms:active-mq-connection/></jms:config><flow name="f"><jms:publish config-ref="q" destination="o"/></flow>'),
            **_app('<jms:config name="q"><jms:active-mq-connection/></jms:config><flow name="f"><jms:listener config-ref="q" destination="o"/></flow>', "crm"),
        },
        {"app > app/activemq [o] (async/jms)", "crm > crm/activemq [o] (async/jms)"},
    ),
    "a workspace's own copies, and an application as it is deployed": (
        {
            **{f"w/.tooling/x1/{k}": v for k, v in _app('<flow name="f"><http:request url="https://no.acme.org/"/></flow>').items()},
            **{f"w/.mule/apps/a/{k.rpartition('/')[2]}": v for k, v in _app('<flow name="f"><http:request url="https://no.acme.org/"/></flow>').items()},
            "ship/ship.xml": f'<mule xmlns="{MULE}/core" {SPACES}><flow name="f"><http:request url="https://crm.acme.org/x"/></flow></mule>',
            "ship/classes/more.xml": f'<mule xmlns="{MULE}/core" {SPACES}><flow name="f"><http:request url="https://erp.acme.org/x"/></flow></mule>',
        },
        {"ship > crm.acme.org (sync/http)", "ship > erp.acme.org (sync/http)"},
    ),
}  # fmt: skip


def _map(files: dict[str, str], folder: Callable[[dict[str, str]], Path]) -> Mapped:
    return map_folders([folder(files)])


@pytest.mark.parametrize("name", CASES)
def test_reads_it_right(name: str, folder: Callable[[dict[str, str]], Path]) -> None:
    files, expected = CASES[name]
    assert set(_map(files, folder).network.flows) == expected


def test_the_timer_of_mule_3_is_a_schedule(folder: Callable[[dict[str, str]], Path]) -> None:
    body = (
        f'{ENDPOINTS}<flow name="f"><quartz:inbound-endpoint jobName="j" cronExpression="0 0 2 1 * ?" connector-ref="clock"/>'
        '<outbound-endpoint ref="out"/></flow>'
    )
    (flow,) = _map(_app(body), folder).network.flows.values()
    assert flow.attributes["schedule"] == "0 0 2 1 * ?"


def test_a_configuration_that_there_is_not_is_told_once(folder: Callable[[dict[str, str]], Path]) -> None:
    call = '<http:request config-ref="gone" path="/x"/>'
    mapped = _map(_app(f'<flow name="f">{call}{call}</flow><flow name="g">{call}</flow>'), folder)
    assert [f.kind for f in mapped.network.findings] == ["unresolved-config"]


@pytest.mark.parametrize(
    ("host", "product"),
    [
        ("sqs.us-east-1.amazonaws.com", "aws-sqs"), ("orders.s3.eu-west-1.amazonaws.com", "aws-s3"), ("s3-eu-west-1.amazonaws.com", "aws-s3"),
        ("s3.amazonaws.com", "aws-s3"), ("x1.execute-api.eu-west-1.amazonaws.com", None), ("a.b.eu-west-1.rds.amazonaws.com", None),
    ],
)  # fmt: skip
def test_products_of_aws_by_host(host: str, product: str | None) -> None:
    found = by_host(host)
    assert (found.id if found else None) == product
