import pytest

from levada.testing.servers.postgres import PostgresServer


@pytest.fixture(scope="session")
def postgres_dsn(postgres: PostgresServer) -> str:
    return postgres.database()
