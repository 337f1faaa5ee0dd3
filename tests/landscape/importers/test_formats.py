"""Each importer on a small fixture of its own: the flows it must find, and no others; then the conformance suite."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from openpyxl import Workbook

from levada.landscape.importers import importers
from levada.landscape.mapping import map_folders
from levada.testing.importers import check_importer

MULE = "http://www.mulesoft.org/schema/mule"
CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "csv": (
        {"systems.csv": "id,name,kind\na,A,app\nb,B,db\n", "flows.csv": "consumer,provider,mode,extra\na,b,db,x\na,c,,\n"},
        {"a > b (db)", "a > c (unknown)"},
    ),
    "levada-network": (
        {"n.yaml": "levada_network: 1\nflows:\n  - consumer: a\n    provider: b\n    evidence:\n      - {source: me}\n"},
        {"a > b (unknown)"},
    ),
    "levada-map": (
        {
            "m.json": '{"systems": [{"id": "a", "kind": "app"}, {"id": "b"}], "flows": [{"consumer": "a", "provider": "b", "mode": "sync"}], "findings": []}'
        },
        {"a > b (sync)"},
    ),
    "levada-app": (
        {
            "shop/levada.toml": '[app]\nmodules = ["shop.sales"]\n[bind]\n"finance/Billing/v1" = { url = "https://billing.acme.org/", auth = "oauth2:env:B" }\n'
            '"sales/Customers/v2" = "shop.erp:ErpCustomers"\n[resources.erp]\nurl = "postgresql://erp.acme.org/erp"\n[resources.pay]\nurl = "env:PAY_URL"\n'
            '[eventlog]\nurl = "kafka://k.acme.org:9092"\n'
        },
        {"shop > finance/Billing/v1 (sync/http)", "shop > erp.acme.org [erp] (db/postgres)", "shop > k.acme.org (async/kafka)"},
    ),
    "docker-compose": (
        {
            "shop/compose.yaml": "services:\n  cart:\n    image: shop/cart\n    environment:\n      - STOCK_ADDR=stock:${PORT:-80}\n"
            "      DB: x\n".replace("      DB: x\n", "")
            + "      - DB_HOST=db\n      - PAY=https://api.stripe.com/v1\n      - SELF_URL=http://cart:1\n    depends_on: [db, late]\n"
            "  stock:\n    build: .\n  db:\n    image: postgres:16\n  late:\n    image: busybox\n"
        },
        {"cart > stock (sync)", "cart > shop.db (db/postgres)", "cart > stripe (sync/http)", "cart > late (unknown)"},
    ),
    "kubernetes": (
        {
            "web.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  template:\n    metadata: {labels: {app: web}}\n"
            "    spec:\n      containers:\n      - image: web\n        env:\n        - {name: ORDERS_ADDR, value: 'orders-svc:80'}\n"
            "        envFrom: [{configMapRef: {name: conf}}]\n",
            "orders.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: orders}\nspec:\n  template:\n    metadata: {labels: {app: orders}}\n"
            "    spec: {containers: [{image: orders}]}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: orders-svc}\n"
            "spec: {selector: {app: orders}, ports: [{name: grpc, port: 80}]}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\n"
            "data: {CRM_URL: 'https://acme.my.salesforce.com/x'}\n",
        },
        {"web > orders (sync/grpc)", "web > salesforce (sync/http)"},
    ),
    "nais": (
        {
            "app.yaml": "apiVersion: nais.io/v1alpha1\nkind: Application\nmetadata: {name: a, namespace: t}\nspec:\n  accessPolicy:\n"
            "    outbound:\n      rules: [{application: b}, {application: c, namespace: u}]\n      external: [{host: x.org}]\n"
            "    inbound: {rules: [{application: d}]}\n  env: [{name: B_URL, value: 'http://b'}]\n  gcp: {sqlInstances: [{databases: [{name: adb}]}]}\n",
            "topic.yaml": "apiVersion: kafka.nais.io/v1\nkind: Topic\nmetadata: {name: k, namespace: t}\nspec:\n  acl:\n"
            "  - {team: t, application: a, access: write}\n  - {team: t, application: b, access: read}\n",
        },
        {
            "t.a > t.b (sync/http)", "t.a > u.c (unknown)", "t.d > t.a (unknown)", "t.a > ext:x.org (sync/http)",
            "t.a > db:t.a [adb] (db/postgres)", "t.b > t.a [t.k] (async/kafka)",
        },
    ),
    "spring": (
        {
            "orders/pom.xml": "<project><artifactId>orders</artifactId></project>",
            "orders/src/main/resources/application.yml": "spring:\n  datasource:\n    url: ${DB_URL:jdbc:postgresql://localhost:5432/orders}\n"
            "  kafka:\n    bootstrap-servers: kafka-1:9092,kafka-2:9092\n  cloud:\n    stream:\n      bindings:\n"
            "        place-out-0: {destination: orders.placed}\n    gateway:\n      routes:\n      - {id: c, uri: 'lb://customers', predicates: [Path=/c]}\n"
            "stock:\n  base-url: http://${stock.host}/api\n  host: stock-dev\npay.url: ${PAY_URL}\n"
            "server:\n  port: 8081\n---\nspring.config.activate.on-profile: prod\nstock.host: stock.acme.org\n",
            "orders/src/main/resources/application-prod.properties": "spring.datasource.url=jdbc:postgresql://db.acme.org/orders\n"
            "spring.security.oauth2.client.provider.x.token-uri=https://id.acme.org/token\n",
            "orders/src/test/resources/application.yml": "spring.datasource.url: jdbc:postgresql://nowhere.acme.org/x\n",
            "billing/src/main/resources/application.properties": "spring.application.name=billing-svc\norders.url=http://localhost:8081/orders\n"
            "spring.rabbitmq.host=rabbit\nspring.rabbitmq.port=5672\nspring.mail.host=localhost\n",
        },
        {
            "orders > db.acme.org [orders] (db/postgres)", "orders > kafka-1 [orders.placed] (async/kafka)",
            "orders > customers (sync/http)", "orders > stock.acme.org (sync/http)", "orders > unresolved:orders/pay_url (sync)",
            "orders > id.acme.org (sync/oidc)", "billing-svc > orders (sync/http)", "billing-svc > rabbit (async/amqp)",
            "billing-svc > billing-svc/local-smtp (async/smtp)",
        },
    ),
    "dotnet": (
        {
            "Orders.API/Orders.API.csproj": "<Project/>",
            "Orders.API/appsettings.json": '{\n  // comments are fine\n  "ConnectionStrings": {\n    "OrderingDb": "Server=tcp:sql,1433;Initial Catalog=Ordering;User Id=sa",\n'
            '    "Cache": "redis:6379,abortConnect=false",\n    "Bus": "Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=x",\n'
            '    "Local": "Data Source=app.db",\n    "Reports": "Host=localhost;Database=reports;Username=u",\n  },\n'
            '  "Services": {"BasketUrl": "http://basket-api", "CatalogUrl": "http://localhost:5101"},\n  "EventBusConnection": "rabbitmq",\n'
            '  "Kafka": {"BootstrapServers": "kafka:9092"},\n  "Identity": {"Authority": "https://id.acme.org"},\n'
            '  "Serilog": {"WriteTo": [{"Name": "Seq", "Args": {"serverUrl": "http://seq"}}]},\n  "Urls": "http://0.0.0.0:80",\n'
            '  "Cors": {"Origins": ["https://shop.acme.org"]}\n}\n',
            "Orders.API/appsettings.Production.json": '{"Services": {"BasketUrl": "https://basket.acme.org"}}',
            "Orders.API/appsettings.Development.json": '{"Services": {"TryUrl": "https://try.acme.org"}}',
            "Catalog.API/appsettings.json": '{"AllowedHosts": "*"}',
            "Catalog.API/Properties/launchSettings.json": '{"profiles": {"c": {"applicationUrl": "http://localhost:5101"}}}',
        },
        {
            "orders.api > sql [Ordering] (db/mssql)", "orders.api > redis (db/redis)",
            "orders.api > azure-service-bus (async/azure-service-bus)",
            "orders.api > orders.api/local-postgres [reports] (db/postgres)", "orders.api > basket.acme.org (sync/http)",
            "orders.api > catalog.api (sync/http)", "orders.api > rabbitmq (async/amqp)", "orders.api > kafka (async/kafka)",
            "orders.api > id.acme.org (sync/oidc)", "orders.api > seq [telemetry] (sync/http)",
        },
    ),
    "mule": (
        {
            "orders/pom.xml": "<project><artifactId>orders-sapi</artifactId></project>",
            "orders/src/main/resources/prod.yaml": "crm:\n  host: crm.acme.org\ndb:\n  host: db1.acme.org\n",
            "orders/src/main/mule/global.xml": f"""<mule xmlns="{MULE}/core" xmlns:h="{MULE}/http" xmlns:d="{MULE}/db" xmlns:zz="{MULE}/acme-erp" xmlns:doc="{MULE}/documentation">
<configuration-properties file="${{env}}.yaml"/>
<h:request-config name="crm" doc:name="other"><h:request-connection host="${{crm.host}}"/></h:request-config>
<h:request-config name="lost"><h:request-connection host="${{lost.host}}"/></h:request-config>
<h:listener-config name="in"><h:listener-connection host="0.0.0.0" port="8081"/></h:listener-config>
<d:config name="db"><d:my-sql-connection host="${{db.host}}" database="orders"/></d:config>
<zz:config name="erp"><zz:key-connection key="x"/></zz:config>
</mule>""",
            "orders/src/main/mule/flows.xml": f"""<mule xmlns="{MULE}/core" xmlns:web="{MULE}/http" xmlns:sql="{MULE}/db" xmlns:a="{MULE}/acme-erp" xmlns:k="{MULE}/mule-apikit">
<flow name="get:\\orders:api"><web:listener config-ref="in" path="/x"/>
<web:request config-ref="crm" path="/customers"/><sql:select config-ref="db"><sql:sql>SELECT * FROM orders o JOIN lines l</sql:sql></sql:select>
<a:read-order config-ref="erp"/><web:request config-ref="lost" path="/"/></flow>
</mule>""",
        },
        {
            "orders-sapi > crm.acme.org [/customers] (sync/http)", "orders-sapi > db1.acme.org [orders] (db/mysql)",
            "orders-sapi > db1.acme.org [lines] (db/mysql)", "orders-sapi > acme-erp (async/acme-erp)",
            "orders-sapi > unresolved:orders-sapi/lost.host (sync/http)",
        },
    ),
    "n8n": (
        {
            "w.json": json.dumps(
                {
                    "name": "Leads", "connections": {},
                    "nodes": [
                        {"id": "1", "name": "T", "type": "n8n-nodes-base.typeformTrigger", "parameters": {}},
                        {"id": "2", "name": "S", "type": "n8n-nodes-base.googleSheets", "parameters": {"resource": "sheet"}},
                        {"id": "3", "name": "H", "type": "n8n-nodes-base.httpRequest", "parameters": {"url": "https://crm.acme.org/x"}},
                        {"id": "4", "name": "C", "type": "n8n-nodes-base.code", "parameters": {}},
                        {"id": "5", "name": "D", "type": "n8n-nodes-base.slack", "disabled": True},
                        {"id": "6", "name": "M", "type": "@n8n/n8n-nodes-langchain.lmChatOpenAi", "parameters": {}},
                    ],
                },
                indent=1,
            )
        },
        {
            "n8n/leads > typeform (async/http)", "n8n/leads > google-sheets [sheet] (sync/http)",
            "n8n/leads > crm.acme.org (sync/http)", "n8n/leads > openai (sync/http)",
        },
    ),
    "workato": (
        {
            "f/one.recipe.json": json.dumps(
                {
                    "name": "One", "config": [{"provider": "salesforce", "account_id": {"name": "SF prod"}}],
                    "code": {
                        "keyword": "trigger", "provider": "workato_api_platform", "as": "t",
                        "block": [
                            {"keyword": "if", "block": [{
                                "keyword": "action", "provider": "salesforce", "name": "search", "as": "q",
                                "input": {"sobject_name": "Contact", "Email": "#{_dp('{\"line\":\"t\",\"path\":[\"request\",\"mail\"]}')}"},
                            }]},
                            {"keyword": "action", "provider": "workato_recipe_function", "name": "call_recipe", "as": "c",
                             "input": {"flow_id": {"zip_name": "f/two.recipe.json", "name": "Two"}}},
                            {"keyword": "action", "provider": "logger", "name": "log", "as": "l"},
                        ],
                    },
                },
                indent=1,
            ),
            "f/two.recipe.json": json.dumps({"name": "Two", "code": {"keyword": "trigger", "provider": "workato_pub_sub", "input": {"topic_id": "T"}}}),
            "api/x.api_endpoint.json": json.dumps({"method": "POST", "path": "one", "recipe_name": "one"}),
        },
        {
            "workato/one > salesforce [Contact] (sync/http)", "workato/one > workato/two (sync/workato)",
            "workato/two > workato-pub-sub [T] (async/workato-pub-sub)", "workato-api/api > workato/one [POST /one] (sync/http)",
        },
    ),
    "camel": (
        {
            "r.camel.yaml": "- from:\n    uri: kafka:orders?brokers=k1.acme.org:9092\n    steps:\n    - to: https://erp.acme.org/api\n    - to: log:x\n",
            "p.yaml": "apiVersion: camel.apache.org/v1\nkind: Pipe\nmetadata: {name: p}\nspec:\n  source: {ref: {kind: Kamelet, name: timer-source}}\n"
            "  sink: {ref: {kind: Kamelet, name: kafka-sink}, properties: {topic: orders, bootstrapServers: 'k1.acme.org:9092'}}\n",
        },
        {"camel/r > camel/p [orders] (async/kafka)", "camel/r > erp.acme.org (sync/http)"},
    ),
    "node-red": (
        {
            "flows.json": json.dumps(
                [
                    {"id": "t", "type": "tab", "label": "Plant"},
                    {"id": "1", "z": "t", "type": "http request", "url": "https://mes.acme.org/x", "wires": [[]]},
                    {"id": "2", "z": "t", "type": "mqtt in", "topic": "line/1", "broker": "b", "wires": [[]]},
                    {"id": "b", "type": "mqtt-broker", "broker": "mq.acme.org"},
                ],
                indent=1,
            )
        },
        {"node-red/plant > mes.acme.org (sync/http)", "node-red/plant > mq.acme.org [line/1] (async/mqtt)"},
    ),
    "azure-functions": (
        {
            "orders/host.json": "{}",
            "orders/local.settings.json": '{"Values": {"ErpUrl": "https://erp.acme.org/api", "Orders": "orders", "AzureWebJobsStorage": "UseDevelopmentStorage=true"}}',
            "orders/take/function.json": json.dumps(
                {
                    "bindings": [
                        {"type": "httpTrigger", "direction": "in", "name": "req"},
                        {"type": "http", "direction": "out", "name": "res"},
                        {"type": "serviceBus", "direction": "out", "name": "q", "queueName": "%Orders%"},
                        {"type": "cosmosDB", "direction": "in", "name": "c", "databaseName": "d", "containerName": "customers"},
                        {"type": "blob", "direction": "out", "name": "b", "path": "bills/{name}"},
                    ]
                },
                indent=1,
            ),
            "billing/bin/Release/net8.0/host.json": "{}",
            "billing/bin/Release/net8.0/mail/function.json": '{"bindings": [{"type": "queueTrigger", "name": "q", "queueName": "<queue>"},'
            '{"type": "sendGrid", "direction": "out", "name": "m"}]}',
            "orders/old/function.json": '{"disabled": true, "bindings": [{"type": "kafkaTrigger", "topic": "x", "name": "k"}]}',
            "billing/host.json": "{}",
            "billing/bill/function.json": '{"bindings": [{"type": "serviceBusTrigger", "name": "m", "direction": "in", "queueName": "orders"},'
            '{"type": "sql", "name": "s", "direction": "out", "commandText": "[dbo].[bills]"}]}',
        },
        {
            "azure-functions/billing > azure-functions/orders [orders] (async/azure-service-bus)",
            "azure-functions/orders > azure-cosmos [customers] (db/azure-cosmos)", "azure-functions/orders > azure-blob [bills] (sync/http)",
            "azure-functions/orders > erp.acme.org (sync/http)", "azure-functions/billing > mssql [bills] (db/mssql)",
            "azure-functions/billing > azure-storage-queue (async/azure-storage-queue)", "azure-functions/billing > sendgrid (sync/http)",
        },
    ),
    "logic-apps": (
        {
            "orders/workflow.json": json.dumps(
                {
                    "definition": {
                        "$schema": "https://schema.management.azure.com/providers/Microsoft.Logic/schemas/2016-06-01/workflowdefinition.json#",
                        "triggers": {"t": {"type": "ApiConnection", "inputs": {"host": {"connection": {"name": "@parameters('$connections')['servicebus']['connectionId']"}}}}},
                        "actions": {"if": {"type": "If", "actions": {"h": {"type": "Http", "inputs": {"uri": "https://crm.acme.org/c"}}}}},
                    }
                },
                indent=1,
            )
        },
        {"logic-apps/orders > azure-service-bus (async/azure-service-bus)", "logic-apps/orders > crm.acme.org (sync/http)"},
    ),
    "traces": (
        {
            "z.json": json.dumps(
                [
                    {"traceId": "1", "id": "a", "kind": "CLIENT", "name": "g", "timestamp": 1, "localEndpoint": {"serviceName": "web"}},
                    {"traceId": "1", "id": "b", "parentId": "a", "kind": "SERVER", "name": "g", "timestamp": 2,
                     "localEndpoint": {"serviceName": "orders"}, "tags": {"http.route": "/o/{id}", "http.method": "GET", "error": "x"}},
                ]
            ),
            "o.json": json.dumps(
                {"resourceSpans": [{"resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "orders"}}]},
                 "scopeSpans": [{"spans": [{"traceId": "2", "spanId": "c", "kind": 3, "name": "SELECT", "startTimeUnixNano": "1000000000",
                 "attributes": [{"key": "db.system", "value": {"stringValue": "postgresql"}}, {"key": "server.address", "value": {"stringValue": "odb"}}]}]}]}]}
            ),
            "m.prom": 'traces_service_graph_request_total{client="web",server="ad"} 7\n',
        },
        {"web > orders [/o/{id}] (sync/http)", "orders > odb (db/postgres)", "web > ad (sync)"},
    ),
    "access-log": (
        {
            "erp-access.log": '10.0.0.9 - crm [10/Oct/2026:13:00:00 +0000] "GET /orders/12345?x=1 HTTP/1.1" 200 1 "-" "curl/8"\n'
            '10.0.0.9 - crm [12/Oct/2026:13:00:00 +0000] "GET /orders/99 HTTP/1.1" 503 1 "-" "curl/8"\n'
            '10.0.0.7 - - [11/Oct/2026:13:00:00 +0000] "GET /stock HTTP/1.1" 200 1 "-" "billing-sync/2.1"\nnonsense\n'
        },
        {"crm > erp [/orders/{}] (sync/http)", "billing-sync > erp [/stock] (sync/http)"},
    ),
    "scripts": (
        {
            "crontab": "0 2 * * * /opt/export.sh >/dev/null\n*/5 * * * * curl -s https://erp.acme.org/api/orders?x=1\n",
            "export.sh": "#!/bin/bash\nHOST=files.bank.org\n# curl http://no.acme.org\nsftp u@$HOST:/in <<END\nput x\nEND\n"
            'psql -h db1.acme.org -d erp -c "select * from invoices" > x\necho curl http://not.acme.org\n',
        },
        {
            "cron/crontab > erp.acme.org [/api/orders] (batch/http)", "script/export > files.bank.org (file/sftp)",
            "script/export > db1.acme.org [invoices] (db/postgres)",
        },
    ),
    "systemd": (
        {
            "shop.service": "[Unit]\nAfter=network.target\n[Service]\nEnvironment=A=b \"CRM=https://crm.acme.org/x\"\n"
            "EnvironmentFile=-/etc/shop/shop.env\nExecStart=/usr/bin/shop --listen http://0.0.0.0:80\n",
            "shop.env": "# ERP_URL=http://no.acme.org\nERP_URL=postgresql://shop@erp.acme.org/erp\n",
            "unit.service": "[Mount]\nWhat=http://not.acme.org\n",
        },
        {"shop > crm.acme.org (sync/http)", "shop > erp.acme.org [erp] (db/postgres)"},
    ),
    "sql": (
        {
            "warehouse.sql": "CREATE SERVER erp FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'db1.acme.org');\n"
            "CREATE FOREIGN TABLE o (id int) SERVER erp OPTIONS (table_name 'orders');\n",
            "billing.sql": "CREATE DATABASE LINK crm CONNECT TO u IDENTIFIED BY p USING '//ora.acme.org:1521/CRM';\nselect * from customers@crm;\n",
        },
        {"warehouse > db1.acme.org [orders] (db/postgres)", "billing > ora.acme.org [customers] (db/oracle)"},
    ),
    "openapi": ({"o.yaml": "openapi: 3.1.0\ninfo: {title: Orders}\nservers: [{url: 'https://o.acme.org/v1'}]\npaths: {/o: {get: {}}}\n"}, set()),
    "asyncapi": (
        {"a.yaml": "asyncapi: 3.0.0\ninfo: {title: Shop}\nchannels: {o: {address: orders}}\noperations: {s: {action: send, channel: {$ref: '#/channels/o'}}}\n"},
        {"shop > kafka [orders] (async/kafka)"},
    ),
    "raml": ({"a.raml": "#%RAML 1.0\ntitle: Orders\n/o:\n  get:\n"}, set()),
    "wsdl": ({"a.wsdl": '<definitions xmlns="http://schemas.xmlsoap.org/wsdl/"><service name="Bill"/></definitions>'}, set()),
    "backstage": (
        {
            "c.yaml": "apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: web}\nspec: {owner: team-a, consumesApis: [orders], dependsOn: ['resource:odb']}\n"
            "---\napiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {name: shop}\nspec: {providesApis: [orders]}\n"
        },
        {"web > shop [orders] (sync)", "web > resource/odb (db)"},
    ),
    "kafka": (
        {
            "groups.txt": "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID\nbilling orders 0 1 2 1 -\n",
            "acls.txt": "Current ACLs for resource `ResourcePattern(resourceType=TOPIC, name=orders, patternType=LITERAL)`:\n"
            "  (principal=User:shop, host=*, operation=WRITE, permissionType=ALLOW)\n",
        },
        {"billing > shop [orders] (async/kafka)"},
    ),
    "nginx": (
        {"shopgw/nginx.conf": "upstream o { server orders.acme.org:80; }\nserver { server_name shop.acme.org;\nlocation /api { proxy_pass http://o; } }\n"},
        {"shopgw > orders.acme.org [/api] (sync/http)"},
    ),
    "envoy": (
        {
            "gw/envoy.yaml": "static_resources:\n  listeners:\n  - routes: [{match: {prefix: /o}, route: {cluster: c}}]\n  clusters:\n"
            "  - name: c\n    load_assignment: {endpoints: [{address: {socket_address: {address: orders, port_value: 80}}}]}\n"
        },
        {"gw > orders [/o] (sync/http)"},
    ),
    "kong": (
        {"kong.yaml": "_format_version: '3.0'\nservices:\n- {name: o, url: 'http://orders.acme.org', routes: [{paths: [/o]}]}\nconsumers: [{username: app1}]\n"},
        {"kong > orders.acme.org [/o] (sync/http)", "app1 > kong (sync/http)"},
    ),
    "archimate": (
        {
            "m.xml": '<model xmlns="http://www.opengroup.org/xsd/archimate/3.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
            '<element identifier="1" xsi:type="ApplicationComponent"><name>CRM</name></element>'
            '<element identifier="2" xsi:type="ApplicationComponent"><name>ERP</name></element>'
            '<relationship source="2" target="1" xsi:type="Flow"><name>Orders</name></relationship></model>'
        },
        {"crm > erp [Orders] (unknown)"},
    ),
    "named-columns": (
        {"interfaces.csv": "Source System;Target System;Data Object;Technology\nERP;CRM;Orders;SFTP file\n"},
        {"crm > erp [Orders] (file/sftp file)"},
    ),
    "terraform": (
        {
            "main.tf": 'resource "aws_sqs_queue" "orders" {\n}\nresource "aws_lambda_function" "bill" {\n  role = 1\n}\n'
            'resource "aws_lambda_event_source_mapping" "m" {\n  event_source_arn = aws_sqs_queue.orders.arn\n  function_name = aws_lambda_function.bill.arn\n}\n'
        },
        {"bill > orders (async/sqs)"},
    ),
    "serverless": (
        {
            "shop/serverless.yml": "service: shop\nprovider:\n  name: aws\nfunctions:\n  ship:\n    handler: a.b\n    events:\n    - sqs: {arn: !GetAtt Queue.Arn}\n"
            "resources:\n  Resources:\n    Queue: {Type: AWS::SQS::Queue}\n",
        },
        {"shop/ship > shop/queue (async/sqs)"},
    ),
    "cloudformation": (
        {
            "t.yaml": "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Table: {Type: 'AWS::DynamoDB::Table'}\n  Fn:\n    Type: AWS::Lambda::Function\n"
            "    Properties: {Environment: {Variables: {T: !Ref Table}}}\n"
        },
        {"fn > table (db/dynamodb)"},
    ),
}  # fmt: skip


def test_every_importer_has_a_case() -> None:
    assert {i.name for i in importers()} == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_finds_these_flows_and_no_others(name: str, folder: Callable[[dict[str, str]], Path]) -> None:
    files, expected = CASES[name]
    mapped = map_folders([folder(files)])
    assert set(mapped.network.flows) == expected
    assert name in {r.importer for r in mapped.files}
    assert not [f for f in mapped.network.findings if f.kind in ("malformed-file", "ambiguous-format")]


@pytest.mark.parametrize("name", CASES)
def test_conforms(name: str, folder: Callable[[dict[str, str]], Path]) -> None:
    root = folder(CASES[name][0])

    def make():
        return next(i for i in importers() if i.name == name)

    check_importer(make, root)


def test_what_a_flow_says_of_its_evidence(folder: Callable[[dict[str, str]], Path]) -> None:
    network = map_folders([folder(CASES["mule"][0])]).network
    flow = network.flows["orders-sapi > crm.acme.org [/customers] (sync/http)"]
    assert {(e.source.rpartition("/")[2], e.line) for e in flow.evidence} == {
        ("flows.xml", 3),
        ("global.xml", 3),
        ("prod.yaml", 2),
    }
    assert network.nodes["orders-sapi"].attributes["operations"] == ["GET /orders"]
    lost = [f for f in network.findings if f.kind == "unresolved-setting"]
    assert [(f.source and f.source.rpartition("/")[2], f.line) for f in lost] == [("global.xml", 4)]


def test_observed_volumes(folder: Callable[[dict[str, str]], Path]) -> None:
    network = map_folders([folder(CASES["access-log"][0])]).network
    flow = network.flows["crm > erp [/orders/{}] (sync/http)"]
    assert (flow.status, flow.volume_day, flow.errors_day) == ("observed", 1.0, 0.5)
    assert flow.evidence[0].seen == "2026-10-12T13:00:00Z"
    assert [f.kind for f in network.findings] == ["unread-lines"]


def test_lineage_of_fields(folder: Callable[[dict[str, str]], Path]) -> None:
    network = map_folders([folder(CASES["workato"][0])]).network
    assert network.flows["workato/one > salesforce [Contact] (sync/http)"].attributes["fields"] == [
        "Email <- t.request.mail"
    ]
    assert "connection:SF prod" in network.nodes["salesforce"].aliases


def test_a_custom_connector_is_one_system_however_an_export_names_it(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    provider = {"folder": "", "name": "Nabu Casa (Cloud)", "zip_name": "nabu_casa_cloud.custom_adapter.json"}
    block = {"keyword": "trigger", "provider": "nabu_casa_cloud__connector_21_177", "name": "new_event"}
    root = folder(
        {
            "f/one.recipe.json": json.dumps({"name": "One", "code": block}),
            "f/ours.connection.json": json.dumps({"name": "Ours", "provider": provider}),
        }
    )
    assert set(map_folders([root]).network.nodes) == {"workato/one", "nabu-casa-cloud"}


def test_only_relations_of_use_and_exchange_are_flows(folder: Callable[[dict[str, str]], Path]) -> None:
    """Of ServiceNow's table of relations; where something runs, and what contains what, is no call."""
    rows = (
        ("CRM", "Depends on::Used by", "ERP"), ("CRM", "Sends data to::Receives data from", "DWH"), ("CRM", "Consumes::Consumed by", "Prices"),
        ("CRM", "Used by::Depends on", "Shop"), ("CRM", "Exchanges data with::Exchanges data with", "Bank"), ("CRM", "REST", "Mail"),
        ("CRM", "Runs on::Runs", "lx0815"), ("CRM", "Hosted on::Hosts", "lx0816"), ("Suite", "Contains::Contained by", "CRM"),
        ("CRM", "Runs on::Runs", "lx0817"), ("CRM", "", "lx0818"), ("ERP", "Depends on::Used by", ""),
    )  # fmt: skip
    text = "Parent,Type,Child\n" + "".join(f"{','.join(r)}\n" for r in rows)
    network = map_folders([folder({"cmdb_rel_ci.csv": text})]).network
    assert set(network.flows) == {
        "crm > erp (unknown)", "dwh > crm (unknown)", "crm > prices (unknown)", "shop > crm (unknown)",
        "crm > bank (unknown)", "bank > crm (unknown)", "crm > mail (sync/rest)",
    }  # fmt: skip
    assert not {"lx0815", "suite"} & network.nodes.keys()
    assert {(f.kind, f.line, f.text) for f in network.findings} == {
        ("columns", 1, "which of 'Parent' and 'Child' is the consumer is told by 'Type'"),
        ("incomplete-row", 13, "a flow needs two systems"),
        (
            "left-out",
            None,
            "5 relations are none of use or exchange (Runs on::Runs: 2, (no type): 1, Contains::Contained by: 1, Hosted on::Hosts: 1); left out",
        ),
    }


def test_parents_and_children_without_types_are_read_as_columns(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    network = map_folders([folder({"rel.csv": "parent,child\nCRM,ERP\n"})]).network
    assert set(network.flows) == {"crm > erp (unknown)"}


def workflow(name: str, *nodes: tuple[str, object]) -> str:
    """An export of n8n with nodes of these types and credentials."""
    return json.dumps(
        {
            "name": name,
            "nodes": [
                {"name": f"N{i}", "type": f"n8n-nodes-base.{type_}", "parameters": {}, "credentials": {"x": credential} if credential else {}}
                for i, (type_, credential) in enumerate(nodes)
            ],
        }
    )  # fmt: skip


@pytest.mark.parametrize("names", ["ab", "ba"])
def test_databases_of_several_credentials_are_several(
    folder: Callable[[dict[str, str]], Path], names: str
) -> None:
    """Told apart by the credential's name, by its id too where two have one name, whatever is read first.

    A service of many tenants is one system, and so is a mail server.
    """
    one, other = names
    files = {
        f"{one}.json": workflow(
            "A", ("postgres", {"id": "1", "name": "Orders DB"}), ("postgres", {"id": "4", "name": "Books"}), ("postgres", None),
            ("mySql", {"id": "3", "name": "Orders DB"}), ("slack", {"id": "s1", "name": "Team"}), ("slack", {"id": "s2", "name": "Sales"}),
            ("sftp", {"name": "bank"}), ("rabbitmq", "events"), ("mongoDb", {"id": "x9", "name": None}), ("emailSend", {"name": "SMTP account"}),
        ),
        f"{other}.json": workflow(
            "B", ("postgresTool", {"id": "1", "name": "Orders DB"}), ("postgres", {"id": "5", "name": "Books"}), ("postgresTrigger", {"name": "Books"}),
        ),
    }  # fmt: skip
    network = map_folders([folder(files)]).network
    assert {(f.consumer, f.provider) for f in network.flows.values()} == {
        ("n8n/a", "postgresql/orders-db"), ("n8n/a", "postgresql/books.4"), ("n8n/a", "postgresql"), ("n8n/a", "mysql/orders-db"),
        ("n8n/a", "slack"), ("n8n/a", "sftp/bank"), ("n8n/a", "rabbitmq/events"), ("n8n/a", "mongodb/x9"), ("n8n/a", "email"),
        ("n8n/b", "postgresql/orders-db"), ("n8n/b", "postgresql/books.5"), ("n8n/b", "postgresql/books"),
    }  # fmt: skip
    node = network.nodes["postgresql/books.4"]
    assert (node.name, node.kind, node.aliases) == ("PostgreSQL (Books)", "db", ("connection:Books",))


def test_a_credential_is_known_by_the_id_that_n8n_gave_it_whatever_it_is_called(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    """What a person or a generator of workflows put in place of an id tells nothing apart."""
    made, other = "3I9fyXVlGg4Vl4LZ", "b1946ac9-2492-4d23-a0e1-0c2a7e5f1b11"
    names = [
        (made, "Main"),
        (made, "Main"),
        (made, "Neon"),
        (made, ""),
        (other, "Main"),
        ("main-db", "Main"),
        ("MAIN_ID", "Main"),
    ]
    nodes = [("postgres", {"id": i, "name": n}) for i, n in names]
    network = map_folders([folder({"a.json": workflow("A", *nodes)})]).network
    assert {n.id: set(n.aliases) for n in network.nodes.values() if n.kind == "db"} == {
        f"postgresql/main.{made.lower()}": {"connection:Main", "connection:Neon"},
        f"postgresql/main.{other}": {"connection:Main"},
        "postgresql/main": {"connection:Main"},
    }


def test_what_nodes_of_n8n_say_beyond_their_type(folder: Callable[[dict[str, str]], Path]) -> None:
    """All tables of a query; the product of a credential where the type names none; calls of the own machine are told."""
    query = "=WITH x AS (SELECT 1) INSERT INTO log SELECT * FROM cars c JOIN owners o ON o.id = c.owner"
    nodes = [
        {
            "name": "q",
            "type": "n8n-nodes-base.postgres",
            "parameters": {"query": query},
        },
        {
            "name": "a",
            "type": "n8n-nodes-base.aiAgent",
            "parameters": {},
            "credentials": {"openAIApi": {"name": "AI"}},
        },
        {
            "name": "l",
            "type": "n8n-nodes-base.httpRequest",
            "parameters": {"url": "=http://localhost:3000/sync"},
        },
    ]
    network = map_folders([folder({"a.json": json.dumps({"name": "A", "nodes": nodes}, indent=1)})]).network
    assert set(network.flows) == {
        *(f"n8n/a > postgresql [{t}] (db/postgresql)" for t in ("log", "cars", "owners")), "n8n/a > openai (sync/http)",
    }  # fmt: skip
    assert [(f.kind, f.text, f.line) for f in network.findings] == [
        ("local-address", "n8n/a calls http://localhost:3000/sync of its own machine", 22)
    ]


def test_text_with_raw_line_ends_is_read(folder: Callable[[dict[str, str]], Path]) -> None:
    text = workflow("A", ("slack", None)).replace('"parameters": {}', '"parameters": {"text": "one\ntwo"}')
    network = map_folders([folder({"a.json": text})]).network
    assert set(network.flows) == {"n8n/a > slack (sync/http)"}
    assert [(f.kind, f.severity) for f in network.findings] == [("encoding", "info")]


def test_a_page_that_quotes_a_tool_observed_nothing(folder: Callable[[dict[str, str]], Path]) -> None:
    shown = CASES["kafka"][0]["groups.txt"]
    assert not map_folders([folder({"README.adoc": f"Then one sees:\n\n{shown}"})]).network.flows


def test_a_schedule_makes_a_batch_with_both_places(folder: Callable[[dict[str, str]], Path]) -> None:
    network = map_folders([folder(CASES["scripts"][0])]).network
    flow = network.flows["script/export > db1.acme.org [invoices] (db/postgres)"]
    assert flow.attributes["schedule"] == "0 2 * * *"
    assert {e.source for e in flow.evidence} == {"crontab", "export.sh"}


def test_times_of_other_zones() -> None:
    from datetime import datetime

    from levada.landscape.importers.access_logs import _common_time

    for text in ("10/Oct/2026:13:55:36 +0000", "01/Jan/2027:00:00:01 +0530", "29/Feb/2028:23:59:59 -0930"):
        assert _common_time(text) == datetime.strptime(text, "%d/%b/%Y:%H:%M:%S %z").timestamp()


HEADS = [
    ("Source System", "Target System", "Data Object", "Technology"),
    ("Quellsystem", "Zielsystem", "Datenobjekt", "Protokoll"),
    ("Von", "Nach", "Daten", "Technologie"),
    ("Sender", "Empfänger", "Objekt", "Schnittstellentyp"),
]


@pytest.mark.parametrize("head", HEADS, ids=lambda h: str(h[0]))
@pytest.mark.parametrize("above", [0, 1, 3, 9])
@pytest.mark.parametrize("name", ["i.xlsx", "i.csv", "i.tsv", "semicolon.csv"])
def test_a_table_may_have_titles_above_its_header(
    name: str, above: int, head: tuple[str, ...], tmp_path: Path
) -> None:
    titles = [["Interfaces, as of 2026; draft"], [], *[["Author", "EA team"]] * 7][:above]
    rows = [*titles, list(head), ["ERP", "CRM", "Orders", "SFTP"], ["CRM", "Shop", "Customers", "REST"]]
    path = tmp_path / name
    if path.suffix == ".xlsx":
        book = Workbook()
        for row in rows:
            book.worksheets[0].append(row)
        book.save(path)
    else:
        delimiter = ";" if "semicolon" in name else "\t" if path.suffix == ".tsv" else ","
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows(rows)
    mapped = map_folders([tmp_path])
    assert set(mapped.network.flows) == {
        "crm > erp [Orders] (file/sftp)",
        "shop > crm [Customers] (sync/rest)",
    }
    assert {f.kind: f.line for f in mapped.network.findings} == {"columns": above + 1}
    assert {e.line for f in mapped.network.flows.values() for e in f.evidence} == {above + 2, above + 3}


def test_a_sheet_called_flows_may_name_its_ends_otherwise(tmp_path: Path) -> None:
    book = Workbook()
    book.worksheets[0].title = "Flows"
    for row in (["All flows"], ["Quellsystem", "Zielsystem"], ["ERP", "CRM"]):
        book.worksheets[0].append(row)
    systems = book.create_sheet("Systems")
    for row in (["All systems"], ["id", "owner"], ["erp", "finance"]):
        systems.append(row)
    book.save(tmp_path / "n.xlsx")
    network = map_folders([tmp_path]).network
    assert list(network.flows) == ["crm > erp (unknown)"]
    assert network.nodes["erp"].owner == "finance"
