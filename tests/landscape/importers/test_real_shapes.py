"""Shapes that real exports have and a first reading of the formats misses: each was once read wrong."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from levada.landscape.importers._redact import secrets_in
from levada.landscape.importers._sql import tables_in
from levada.landscape.mapping import Mapped, map_folders

MULE = "http://www.mulesoft.org/schema/mule"
ARCHI = '<model xmlns="http://www.opengroup.org/xsd/archimate/3.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'


def _mule(body: str) -> dict[str, str]:
    spaces = " ".join(
        f'xmlns:{p}="{MULE}/{p}"'
        for p in ("http", "db", "sap", "email", "ms-vectors", "ms-webcrawler", "amqp")
    )
    return {
        "app/pom.xml": "<project><artifactId>app</artifactId></project>",
        "app/src/main/mule/a.xml": f'<mule xmlns="{MULE}/core" {spaces}>{body}</mule>',
    }


CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "a Mule project that calls its own port": (
        _mule(
            '<http:listener-config name="in"><http:listener-connection host="0.0.0.0" port="${p}"/></http:listener-config>'
            '<http:request-config name="self"><http:request-connection host="localhost" port="${p}"/></http:request-config>'
            '<http:request-config name="other"><http:request-connection host="localhost" port="9"/></http:request-config>'
            '<flow name="f"><http:request config-ref="self" path="/a"/><http:request config-ref="other" path="/b"/></flow>'
        ),
        {"app > app/local-http:9 [/b] (sync/http)"},
    ),
    "a Mule expression that begins with a literal address": (
        _mule("""<flow name="f"><http:request url='#["https://crm.acme.org/c/" ++ vars.id]'/></flow>"""),
        {"app > crm.acme.org (sync/http)"},
    ),
    "a Mule connector to many products": (
        _mule(
            '<ms-vectors:config name="v"><ms-vectors:google-vertex-ai-connection/></ms-vectors:config>'
            '<flow name="f"><ms-vectors:embed config-ref="v"/><ms-webcrawler:crawl url="#[payload.u]"/></flow>'
        ),
        {"app > google-vertex-ai (sync/ms-vectors)"},
    ),
    "a Mule source of IDocs, a mailbox, an exchange": (
        _mule(
            '<sap:inbound-config name="s"/><email:imap-config name="m"><email:imap-connection host="mail.acme.org"/></email:imap-config>'
            '<amqp:config name="q"><amqp:connection host="mq.acme.org"/></amqp:config>'
            '<flow name="f"><sap:document-source config-ref="s"/><email:list-imap config-ref="m"/>'
            '<amqp:publish config-ref="q" exchangeName="sales"/></flow>'
        ),
        {"app > sap (async/sap)", "app > mail.acme.org (async/imap)", "app > mq.acme.org [sales] (async/amqp)"},
    ),
    "a .env with a comment behind a password": (
        {
            "shop/.env": "PW=secret_word   # see init.sql\nHOST=orders-db\n",
            "shop/compose.yaml": "services:\n  portal:\n    image: portal\n    environment: ['DSN=postgres://u:${PW}@${HOST}/orders']\n  orders-db:\n    image: postgres\n",
        },
        {"portal > orders-db [orders] (db/postgres)"},
    ),
    "Kamelets of one product under many names": (
        {
            "a/r.camel.yaml": "- route:\n    from:\n      uri: kamelet:kafka-not-secured-apicurio-registry-source\n      parameters: {topic: orders, bootstrapServers: 'k.acme.org:9092'}\n"
            "      steps:\n      - to:\n          uri: kamelet:aws-bedrock-text-sink\n      - to:\n          uri: 'sql:select * from lines'\n",
            "a/application.properties": "spring.datasource.url=jdbc:postgresql://db1.acme.org/x\n",
        },
        {
            "camel/a.r > k.acme.org [orders] (async/kafka)", "camel/a.r > aws-bedrock (sync/http)",
            "camel/a.r > db1.acme.org [lines] (db/postgres)",
        },
    ),
    "brokers on the machine itself are another one in each project": (
        {
            f"{p}/r.camel.yaml": f"- from:\n    uri: {u}\n    steps:\n    - to: {t}\n"
            for p, u, t in (("a", "timer:x", "kafka:o?brokers=localhost:9092"), ("b", "kafka:o?brokers=localhost:9092", "log:x"))
        },
        {"camel/a.r > a.kafka [o] (async/kafka)", "camel/b.r > b.kafka [o] (async/kafka)"},
    ),
    "Camel endpoints that wrap others, of the process itself, and of a protocol": (
        {
            "r.camel.yaml": "- from:\n    uri: master:lock-1:sftp:ann@files.acme.org/in\n    steps:\n    - to: webhook:https://hooks.acme.org/x\n"
            "    - to: caffeine-cache:prices\n    - to: jcache:x\n    - to: xquery:a.xq\n    - to: jmx:platform\n    - to: netty:tcp://erp.acme.org:5150?sync=true\n"
            "    - to: mina:tcp://till.acme.org:7\n",
        },
        {
            "camel/r > files.acme.org (file/sftp)", "camel/r > hooks.acme.org (sync/http)",
            "camel/r > erp.acme.org (unknown/tcp)", "camel/r > till.acme.org (unknown/tcp)",
        },
    ),
    "Camel routes in Java": (
        {
            "bill/src/main/java/R.java": 'import org.apache.camel.builder.RouteBuilder;\nclass R extends RouteBuilder { void configure() {\n// from("ftp://no.acme.org/x")\n'
            'from("jms:queue:{{q}}").to("https://erp.acme.org/api").toD("imaps://mail.acme.org:993?x=" + y); } }\n',
            "bill/src/main/resources/application.properties": "q=invoices\n",
        },
        {
            "camel/bill > jms [invoices] (async/jms)", "camel/bill > erp.acme.org (sync/http)",
            "camel/bill > mail.acme.org (async/imap)",
        },
    ),
    "an nginx template filled by its image": (
        {
            "web/default.conf.template": "server { location /api { proxy_pass http://${CART}:80/; } }\n",
            "web/Dockerfile": "FROM nginx\nENV CART=cart.acme.org \\\n    X=1\n",
        },
        {"web > cart.acme.org [/api] (sync/http)"},
    ),
    "a Helm value that is not known": (
        {
            "d.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    spec:\n      containers:\n"
            "      - image: web\n        env:\n        - name: ZIPKIN\n          value: http://{{ .Values.zipkin }}:9411\n"
        },
        set(),
    ),
    "one logic app under two descriptions": (
        {
            "ship/playbook/workflow.json": '{"definition": {"$schema": "x/Microsoft.Logic/schemas/workflowdefinition.json", "actions": {"h": {"type": "Http", "inputs": {"uri": "https://crm.acme.org/c"}}}}}',
            "ship/playbook/azuredeploy.json": json.dumps(
                {
                    "parameters": {"N": {"defaultValue": "shipper"}, "H": {"defaultValue": "https://erp.acme.org"}},
                    "resources": [
                        {
                            "type": "Microsoft.Logic/workflows", "name": "[parameters('N')]",
                            "properties": {"definition": {"actions": {"e": {"type": "Http", "inputs": {"uri": "@{parameters('H')}/o"}}}}},
                        }
                    ],
                }
            ),
        },
        {"logic-apps/shipper > crm.acme.org (sync/http)", "logic-apps/shipper > erp.acme.org (sync/http)"},
    ),
    "ArchiMate functions are their component's, and departments are no systems": (
        {
            "m.xml": ARCHI
            + "".join(
                f'<element identifier="{i}" xsi:type="{t}"><name>{n}</name></element>'
                for i, t, n in (
                    ("1", "ApplicationComponent", "CRM"), ("2", "ApplicationComponent", "ERP"), ("3", "ApplicationService", "Billing"),
                    ("4", "BusinessActor", "Finance"), ("5", "BusinessActor", "Bank"),
                )
            )
            + '<relationship source="2" target="3" xsi:type="Assignment"/><relationship source="3" target="1" xsi:type="Serving"/>'
            '<relationship source="4" target="5" xsi:type="Flow"/><relationship source="2" target="5" xsi:type="Flow"/></model>'
        },
        {"crm > erp (unknown)", "bank > erp (unknown)"},
    ),
    "Archi's own format": (
        {
            "m.archimate": '<archimate:model xmlns:archimate="http://www.archimatetool.com/archimate" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            '<folder><element xsi:type="archimate:ApplicationComponent" name="A" id="1"/><element xsi:type="archimate:ApplicationComponent" name="B" id="2"/>'
            '<element xsi:type="archimate:FlowRelationship" id="3" name="Orders" source="1" target="2"/></folder></archimate:model>'
        },
        {"b > a [Orders] (unknown)"},
    ),
    "AsyncAPI over WebSocket has no broker": (
        {
            "a.yaml": "asyncapi: 3.0.0\ninfo: {title: Ticker}\nservers: {p: {host: t.acme.org, protocol: wss}}\nchannels: {o: {address: /}}\n"
            "operations: {s: {action: send, channel: {$ref: '#/channels/o'}}}\n",
            "b.yaml": "asyncapi: 3.0.0\ninfo: {title: Shop}\nservers: {p: {host: k, protocol: kafka-secure}}\nchannels: {o: {address: o}}\n"
            "operations: {s: {action: send, channel: {$ref: '#/channels/o'}}}\n",
        },
        {"shop > kafka [o] (async/kafka)"},
    ),
    "addresses of files, of the program itself and of no machine are none": (
        {
            "compose.yaml": "services:\n  a:\n    image: x\n    command: [--upstream=file:///dev/null, -v, unix:///var/run/docker.sock]\n    environment:\n"
            "      DATABASE_URL: sqlite:///data/app.db\n      JAVA_TOOL_OPTIONS: -agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=*:5006\n"
            "      BASE_IMAGE: openjdk:21-jdk\n      GF_SERVER_ROOT_URL: https://acme.org/grafana\n      GF_SERVER_DOMAIN: acme.org\n"
            "      SES_SMTP_HOST: mail.acme.org\n      SPRING_DATA_REDIS_HOST: cache.acme.org\n      DB_POSTGRESDB_HOST: pg.acme.org\n      CONNECTION: 'Server=tcp:sql.acme.org,1433;Database=x'\n"
        },
        {"a > mail.acme.org (async/smtp)", "a > cache.acme.org (db/redis)", "a > pg.acme.org (db/postgres)", "a > sql.acme.org [x] (db/mssql)"},
    ),
    "Spring's settings in a ConfigMap, mounted or of the program's name": (
        {
            "k8s.yaml": "\n---\n".join(
                (
                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    metadata: {labels: {app: web}}\n    spec:\n      containers: [{name: w, image: x}]\n"
                    "      volumes: [{name: c, configMap: {name: web-config}}, {name: d, configMap: {name: docs}}]",
                    "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  template:\n    spec:\n      containers: [{name: s, image: x}]",
                    "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}}",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web-config}\ndata:\n  application.yml: |\n    # https://docs.acme.org/help\n    crm:\n      url: ${CRM_URL:http://crm.acme.org}\n      self: http://web:8080\n"
                    "    ---\n    spring: {profiles: dev}\n    crm:\n      url: http://dev.acme.org",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: docs}\ndata:\n  index.html: <a href=https://elsewhere.acme.org>",
                    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata:\n  application.properties: |\n    spring.data.mongodb.uri=mongodb://m.acme.org/orders\n",
                )
            )
        },
        {"web > crm.acme.org (sync/http)", "shop > m.acme.org [orders] (db/mongodb)"},
    ),
    "a Kong service without an upstream": (
        {"kong.yaml": "_format_version: '3.0'\nservices:\n- name: s1\n- name: s2\n  host: orders.acme.org\n  port: 80\n"},
        {"kong > orders.acme.org (sync/http)"},
    ),
}  # fmt: skip


def _map(files: dict[str, str], folder: Callable[[dict[str, str]], Path]) -> Mapped:
    return map_folders([folder(files)])


@pytest.mark.parametrize("name", CASES)
def test_reads_it_right(name: str, folder: Callable[[dict[str, str]], Path]) -> None:
    files, expected = CASES[name]
    mapped = _map(files, folder)
    assert set(mapped.network.flows) == expected
    assert not [f for f in mapped.network.findings if f.kind == "malformed-file"]


def test_what_is_left_out_is_told(folder: Callable[[dict[str, str]], Path]) -> None:
    files, _ = CASES["ArchiMate functions are their component's, and departments are no systems"]
    assert [f.text[:7] for f in _map(files, folder).network.findings if f.kind == "left-out"] == ["1 flow "]
    files, _ = CASES["a Mule connector to many products"]
    assert "app: the address of crawl is computed" in " ".join(
        f.text for f in _map(files, folder).network.findings
    )


def test_an_openapi_title_that_a_template_computes(folder: Callable[[dict[str, str]], Path]) -> None:
    text = "openapi: 3.0.1\ninfo:\n  title:\n    Fn::Sub: '${AWS::StackName}-api'\npaths: {}\n"
    assert set(_map({"orders/resources/openapi.yaml": text}, folder).network.nodes) == {"api/orders"}


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("insert into audit(id) values (1) on duplicate key update answered_at = now()", ["audit"]),
        ("insert into jobs(id) values (1) on conflict (id) do update set x = 1", ["jobs"]),
        ("select * from orders for update of o nowait", ["orders"]),
        ("alter table x add foreign key (y) references z on update cascade", []),
    ],
)
def test_update_that_names_no_table(sql: str, tables: list[str]) -> None:
    assert tables_in(sql) == tables


@pytest.mark.parametrize(
    "text",
    [
        '<x password="#[vars.password]"/>', "\"password\": \"@body('Get_secret')?['value']\"", "api_key: string",
        "client_secret:\n  required: true", "const access_token = item.json.access_token", "Password: Bearer {your key}",
        "node ALL=(root) NOPASSWD: /usr/bin/init.sh", "0081_Xml_Respondtowebhook_Automate_Webhook", "glpat-xxxxxxxxxxxxxxxxxxxx",
        "API_TOKEN = os.environ['API_TOKEN']", "CRM_TOKEN = var.crm_token", "- name: DB_PASSWORD\n  valueFrom:\n    secretKeyRef:\n      name: db-credentials",
        "run --token=${TOKEN} --password-stdin --token-file=/run/x", "mysql -h db -p -e 'select 1'", "mysql -P3306 -p$PW", "type: bearer authentication",
        "SECRET: /run/secrets/x", "DB_PASSWORD: ${DB_PASSWORD:?set it}", "https://x/?key={{ key }}&token=$1", "PASSWORD_FILE=/run/secrets/pw1234",
        'CRM_TOKEN = data.vault_secret.v1.data["x"]', "POSTGRES_PASSWORD: !Ref Pw12345", "TOKEN=`cat /x1234`", "TOKEN: env:TOKEN12345", "the --username and --password options",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_secret(text: str) -> None:
    assert list(secrets_in(text)) == []
