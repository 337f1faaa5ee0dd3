"""Compose files and manifests of real repositories: variants, tests, templates, names within names."""

from collections.abc import Callable
from pathlib import Path

import pytest

from levada.landscape.mapping import Mapped, map_folders


def _pod(name: str, image: str, *env: str, kind: str = "Deployment") -> str:
    variables = "".join(
        f"        - {{name: {e.partition('=')[0]}, value: '{e.partition('=')[2]}'}}\n" for e in env
    )
    return (
        f"apiVersion: apps/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n"
        f"    spec:\n      containers:\n      - image: {image}\n"
        + (f"        env:\n{variables}" if env else "")
    )


def _service(name: str, app: str) -> str:
    return f"---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{selector: {{app: {app}}}}}\n"


def _config(name: str, **data: str) -> str:
    return f"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {data}\n"


FROM = "        envFrom: [{configMapRef: {name: addresses}}]\n"
CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "settings of one name in two folders are each for the workloads beside them": (
        {
            "a/web.yaml": _pod("web", "web") + FROM + _config("addresses", ORDERS="http://orders:80"),
            "b/config.yaml": _config("addresses", ORDERS="http://monolith:80"),
            "b/web.yaml": _pod("web-old", "web") + FROM,
        },
        {"web > orders (sync/http)", "web-old > monolith (sync/http)"},
    ),
    "a database and a broker by the image of what answers": (
        {
            "k.yaml": _pod("web", "web", "KONG_PG_HOST=pg", "QUEUE_HOST=mq", "ORDERS_HOST=db")
            + "---\n" + _pod("pg", "postgres:16") + _service("pg", "pg") + "---\n" + _pod("rabbit", "rabbitmq:3") + _service("mq", "rabbit")
            + "---\n" + _pod("maria", "mysql:8", kind="StatefulSet") + _service("db", "maria")
        },
        {"web > pg (db/postgres)", "web > rabbit (async/amqp)", "web > maria (db/mysql)"},
    ),
    "what is no host: a kind of connection, a place to fill in": (
        {"k.yaml": _pod("web", "web", "INSTANCE_URL=-instances=x=tcp:5432", "FRONT_ADDR=FRONT_IP_ADDRESS:80", "BACK_URL=http://BACK_END/x")},
        set(),
    ),
    "routes of a chart whose names are its own, and of a mesh": (
        {
            "charts/shop/Chart.yaml": "name: shop\nversion: 1.0.0\n",
            "charts/shop/templates/r.yaml": "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: public}\nspec:\n  rules:\n"
            '  - backendRefs: [{name: {{ include "shop.fullname" . }}-write}]\n',
            "charts/shop/templates/d.yaml": _pod('{{ include "shop.fullname" . }}-write', "x"),
            "mesh.yaml": "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: reviews}\nspec:\n  parentRefs: [{kind: Service, name: reviews}]\n"
            "  rules:\n  - backendRefs: [{name: reviews-v2}]\n",
        },
        {"httproute/public > shop-write (sync/http)"},
    ),
    "Istio's routes behind a gateway": (
        {
            "v.yaml": "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: shop}\nspec:\n  gateways: [public]\n"
            "  http: [{route: [{destination: {host: web.shop.svc.cluster.local}}]}]\n",
            "m.yaml": "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews}\nspec:\n  http: [{route: [{destination: {host: reviews}}]}]\n",
        },
        {"virtualservice/shop > web.shop (sync/http)"},
    ),
    "a compose file of a part of a project, and those of its tests": (
        {
            "compose.yaml": "services:\n  orders: {image: orders, environment: ['MQ=amqp://rabbitmq:5672']}\n  rabbitmq: {image: 'rabbitmq:3'}\n",
            "src/orders/docker-compose.yml": "services:\n  orders: {image: orders, environment: ['MQ=amqp://rabbitmq:5672']}\n  rabbitmq: {image: 'rabbitmq:3'}\n",
            "test/e2e/compose.yaml": "services:\n  orders: {image: orders, environment: ['DB=postgres://postgres/x']}\n  postgres: {image: postgres}\n",
            "docker-compose.test.yml": "services:\n  orders: {image: orders, environment: ['DB=redis://redis:6379']}\n  redis: {image: redis}\n",
        },
        {"orders > rabbitmq (async/amqp)"},
    ),
    "a database that two settings name is used once": (
        {"compose.yaml": "services:\n  orders:\n    image: orders\n    environment: {STORAGE_BACKEND: postgres, DSN: 'postgres://postgres:5432/orders'}\n  postgres: {image: postgres}\n"},
        {"orders > postgres [orders] (db/postgres)"},
    ),
}  # fmt: skip


def _nais(app: str, host: str) -> str:
    return (
        f"apiVersion: nais.io/v1alpha1\nkind: Application\nmetadata:\n  name: {app}\n  namespace: t\n"
        f"spec:\n  accessPolicy: {{outbound: {{external: [{{host: {host}}}]}}}}\n"
    )


CASES["nais: what only a trial environment uses, where there is production"] = (
    {
        "a/.nais/dev.yaml": _nais("a", "crm-q2.acme.org"), "a/.nais/prod.yaml": _nais("a", "crm.acme.org"),
        "b/nais/dev-gcp/app.yaml": _nais("b", "erp-q2.acme.org"), "b/nais/prod-gcp/app.yaml": _nais("b", "erp.acme.org"),
        "c/.nais/dev.yaml": _nais("c", "fake.acme.org"),
    },
    {"t.a > ext:crm.acme.org (sync/http)", "t.b > ext:erp.acme.org (sync/http)", "t.c > ext:fake.acme.org (sync/http)"},
)  # fmt: skip
CASES["scripts of a build, code of others, and the machine's own settings"] = (
    {
        "mvnw": "#!/bin/sh\ncurl -o x https://repo.maven.apache.org/maven2/x\n",
        "vendor/modules.txt": "# a\n", "vendor/a/get.sh": "#!/bin/sh\ncurl https://a.acme.org/x\n",
        "init.sh": "#!/bin/sh\ncurl http://169.254.169.254/latest/meta-data\ncurl https://erp.acme.org/x\n",
    },
    {"script/init > erp.acme.org [/x] (sync/http)"},
)  # fmt: skip


def _map(files: dict[str, str], folder: Callable[[dict[str, str]], Path]) -> Mapped:
    return map_folders([folder(files)])


@pytest.mark.parametrize("name", CASES)
def test_reads_it_right(name: str, folder: Callable[[dict[str, str]], Path]) -> None:
    files, expected = CASES[name]
    assert set(_map(files, folder).network.flows) == expected


def test_compose_files_of_tests_are_told(folder: Callable[[dict[str, str]], Path]) -> None:
    files, _ = CASES["a compose file of a part of a project, and those of its tests"]
    told = {f.source for f in _map(files, folder).network.findings if f.kind == "test-settings"}
    assert told == {"test/e2e/compose.yaml", "docker-compose.test.yml"}


def test_what_a_container_is_says_more_than_that_it_is_one(folder: Callable[[dict[str, str]], Path]) -> None:
    files = {
        "compose.yaml": "services:\n  edge: {image: 'acme/edge:1'}\n",
        "edge/nginx.conf": "server { server_name edge; location / { proxy_pass http://web.acme.org; } }\n",
    }
    mapped = _map(files, folder)
    assert mapped.network.nodes["edge"].kind == "channel"
    assert not [f for f in mapped.network.findings if f.kind == "conflict"]


def test_a_container_and_the_program_in_its_image_are_suggested_as_one(
    folder: Callable[[dict[str, str]], Path],
) -> None:
    files = {
        "compose.yaml": "services:\n  orders: {image: 'acme/shop-orders:2'}\n  bills: {build: ./billing-service}\n  web: {image: nginx}\n",
        "orders/src/main/resources/application.yml": "spring.application.name: shop-orders\nerp.url: https://erp.acme.org\n",
        "billing-service/src/main/resources/application.yml": "spring.application.name: billing-service\nerp.url: https://erp.acme.org\n",
    }
    found = {(s.keep, s.drop, s.rule) for s in _map(files, folder).suggestions}
    assert {frozenset(s[:2]) for s in found if s[2] == "same-image"} == {
        frozenset(("orders", "shop-orders")),
        frozenset(("bills", "billing-service")),
    }


def test_where_a_platform_runs_an_application(folder: Callable[[dict[str, str]], Path]) -> None:
    rows = "consumer,provider,mode\nshop,orders-api-prod1.eu-w1.cloudhub.io,sync\nshop,orders,sync\norders-api,erp,sync\n"
    found = _map(
        {"flows.csv": rows, "systems.csv": "id\nshop\nerp\norders\norders-api\n"}, folder
    ).suggestions
    assert [(s.keep, s.drop) for s in found if s.rule == "deployed-at"] == [
        ("orders-api", "orders-api-prod1.eu-w1.cloudhub.io")
    ]
