"""Settings files of frameworks: which of several values holds, whom an address means, and what is told instead of guessed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from levada.landscape.importers.dotnet import DotNet
from levada.landscape.importers.spring import Spring
from levada.landscape.infrastructure import infrastructure
from levada.landscape.mapping import Mapped, map_folders

Folder = Callable[[dict[str, str]], Path]


def read(root: Path) -> Mapped:
    return map_folders([root], use=[Spring(), DotNet()])


def kinds(mapped: Mapped) -> list[str]:
    return [f.kind for f in mapped.network.findings]


@pytest.mark.parametrize(
    ("files", "provider"),
    [
        ({"application.yml": "x.url: http://base.acme.org\n", "application-prod.yml": "x.url: http://p.acme.org\n"}, "p.acme.org"),
        ({"application.yml": "x.url: http://localhost:1\n", "application-docker.yml": "x.url: http://d.acme.org\n"}, "d.acme.org"),
        ({"application.yml": "x.url: http://base.acme.org\n", "application-dev.yml": "x.url: http://d.acme.org\n"}, "base.acme.org"),
        ({"application.yml": "x.url: http://${X_HOST:base}.acme.org\n"}, "base.acme.org"),
        ({"application.yml": "x.url: ${XURL:${Y_URL:http://deep.acme.org}}\n"}, "deep.acme.org"),
        ({"application.yml": "x.url: http://${x-host}\nx:\n  host: relaxed.acme.org\n"}, "relaxed.acme.org"),
        ({"application.properties": "x.url=http\\://one.acme.org\\:8080/a?b=c\n"}, "one.acme.org"),
        ({"application.properties": "x.url: http://one.acme.org/a?b=c\n"}, "one.acme.org"),
        ({"application.properties": "x.url=http://one.\\\n  acme.org\n#---\nspring.config.activate.on-profile=dev\nx.url=http://t.org\n"}, "one.acme.org"),
        ({"application.yml": "x: {URL: 'http://a.acme.org'}\n---\nspring: {profiles: production}\nx.url: http://b.acme.org\n"}, "b.acme.org"),
    ],
)  # fmt: skip
def test_the_value_nearest_production_holds(folder: Folder, files: dict[str, str], provider: str) -> None:
    root = folder({f"app/src/main/resources/{n}": t for n, t in files.items()})
    (flow,) = read(root).network.flows.values()
    assert (flow.consumer, flow.provider) == ("app", provider)
    assert flow.evidence[0].line


def test_what_only_a_trial_names_is_not_taken_where_production_is_known_and_told(folder: Folder) -> None:
    trial = {
        "a/resources/application.yml": "a: b\n",
        "a/resources/application-dev.yml": "x.url: http://x-dev.acme.org\n",
    }
    (flow,) = read(folder(trial)).network.flows.values()
    assert flow.attributes["profile"] == "dev"
    mapped = read(folder({**trial, "a/resources/application-prod.yml": "y.url: http://y.acme.org\n"}))
    assert [f.provider for f in mapped.network.flows.values()] == ["y.acme.org"]
    assert "other-environment" in kinds(mapped)


def test_a_setting_that_nobody_defines_is_unresolved_for_each_program(folder: Folder) -> None:
    text = "spring.datasource.url: ${DB_URL}\n"
    mapped = read(folder({f"{n}/resources/application.yml": text for n in ("a", "b")}))
    assert {(f.consumer, f.provider, f.mode) for f in mapped.network.flows.values()} == {
        ("a", "unresolved:a/db_url", "db"), ("b", "unresolved:b/db_url", "db"),
    }  # fmt: skip
    assert kinds(mapped).count("unresolved-setting") == 2


def test_a_config_server_gives_each_program_its_own_and_the_common_settings(folder: Folder) -> None:
    mapped = read(
        folder(
            {
                "config/shared/application.yml": "spring:\n  rabbitmq:\n    host: bus\n",
                "config/shared/orders.yml": "spring:\n  data:\n    mongodb:\n      host: localhost\n",
                "config/shared/orders-docker.yml": "spring:\n  data:\n    mongodb:\n      host: orders-db\n",
                "config/shared/idle.yml": "",
                "config/shared/gateway.yml": "zuul:\n  routes:\n    orders:\n      path: /o/**\n    late:\n      path: /l\n      serviceId: late-svc\n",
            }
        )
    )
    assert {(f.consumer, f.provider) for f in mapped.network.flows.values()} == {
        ("orders", "bus"), ("gateway", "bus"), ("idle", "bus"), ("orders", "orders-db"), ("gateway", "orders"), ("gateway", "late-svc"),
    }  # fmt: skip


def test_readers_and_writers_of_a_destination_meet(folder: Folder) -> None:
    binding = "spring.cloud.stream.bindings.{}.destination: placed\nspring.kafka.bootstrap-servers: k:9092\n"
    mapped = read(
        folder(
            {
                "a/resources/application.yml": binding.format("send-out-0"),
                "b/resources/application.yml": binding.format("take-in-0") + "my.topic: other\n",
            }
        )
    )
    (flow,) = mapped.network.flows.values()
    assert (flow.consumer, flow.provider, flow.object, flow.mode) == ("b", "a", "placed", "async")
    assert "topic-role" in kinds(mapped)


def test_platform_and_sign_on_are_infrastructure(folder: Folder) -> None:
    mapped = read(
        folder(
            {
                "a/resources/application.yml": "eureka.client.serviceUrl.defaultZone: http://registry:8761/eureka\n"
                "spring.config.import: 'optional:configserver:http://config:8888'\nmanagement.zipkin.tracing.endpoint: http://z:9411\n"
                "x.issuer-uri: https://id.acme.org\n",
                "B/appsettings.json": '{"Serilog": {"WriteTo": [{"Args": {"nodeUris": "http://elastic:9200"}}]}, "AzureAd": {"Instance": "https://login.acme.org"}}',
            }
        )
    )
    why = infrastructure(mapped.network)
    assert len(mapped.network.flows) == 6
    assert all(why(f) for f in mapped.network.flows.values())


def test_what_is_no_provider_is_left_out(folder: Folder) -> None:
    root = folder(
        {
            "a/resources/application.yml": "spring.datasource.url: jdbc:h2:mem:x\nserver.address: https://me.acme.org\n"
            "app.cors.allowed-origins: https://shop.acme.org\nx.endpoint.class: org.acme.Endpoint\nscope: api://x.acme.org/.default\n"
            "y.schema.url: http://docs.oasis-open.org/wss/x.xsd\nz: {issuers: 'https://localhost,https://localhost'}\n"
            "springdoc.swagger.url: https://docs.acme.org\nfile: file:///etc/x\n",
            "B/appsettings.json": '{"$schema": "https://json.schemastore.org/x", "MvcClient": "http://web.acme.org", "Redirect": "https://r.acme.org"}',
        }
    )
    assert not read(root).network.flows


def test_where_it_runs_says_where_the_database_is(folder: Folder) -> None:
    mapped = map_folders(
        [
            folder(
                {
                    "orders/src/main/resources/application.yml": "spring:\n  datasource:\n    url: jdbc:mysql://localhost/orders\n",
                    "compose.yaml": "services:\n  orders:\n    image: acme/orders\n    environment:\n      SPRING_DATASOURCE_URL: jdbc:mysql://orders-db/orders\n"
                    "  orders-db:\n    image: mysql\n",
                }
            )
        ]
    )
    (flow,) = mapped.network.flows.values()
    assert flow.provider == "orders-db"
    assert {e.source for e in flow.evidence} == {"compose.yaml", "orders/src/main/resources/application.yml"}
    assert "orders/local-mysql" not in mapped.network.nodes


def test_one_named_connection_of_two_programs_may_be_one_database(folder: Folder) -> None:
    text = '{"ConnectionStrings": {"OrderingDb": "Host=localhost;Database=ordering;Password=s3cretWord9"}}'
    mapped = read(folder({"A/appsettings.json": text, "B/appsettings.json": text}))
    (found,) = mapped.suggestions
    assert (found.rule, found.keep, found.drop) == ("same-connection", "a/local-postgres", "b/local-postgres")
    assert "s3cretWord9" not in str(mapped.network) + str(found)
    assert "secret" in kinds(mapped)


def test_settings_of_tests_are_told_and_not_read(folder: Folder) -> None:
    root = folder(
        {
            "a/src/test/resources/application.yml": "x.url: http://x.acme.org\n",
            "A.UnitTests/appsettings.json": '{"XUrl": "http://x.acme.org"}',
        }
    )
    mapped = read(root)
    assert not mapped.network.flows
    assert kinds(mapped) == ["test-settings", "test-settings"]


def test_lists_of_two_files_are_two(folder: Folder) -> None:
    """A program's own routes and those that the config server has of it; of profiles still the one nearest production."""
    routes = "spring.cloud.gateway.routes:\n  - {{id: a, uri: 'lb://{0}'}}\n"
    files = {
        "web/src/main/resources/application.yml": "spring.application.name: web\n" + routes.format("orders"),
        "web/src/main/resources/application-test.yml": routes.format("mock"),
        "config/web-test.yml": routes.format("mock"),
        "config/shop.yml": routes.format("stock"),
        "config/web.yml": "spring.config.activate.on-profile: kubernetes\n" + routes.format("prices"),
    }
    assert set(read(folder(files)).network.flows) == {
        "web > orders (sync/http)", "web > prices (sync/http)", "shop > stock (sync/http)",
    }  # fmt: skip
