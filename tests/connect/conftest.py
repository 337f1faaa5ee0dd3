import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    given = os.environ.get("LEVADA_TEST_POSTGRES")
    if given:
        yield given
        return
    from levada.testing.servers.postgres import postgres_server

    with postgres_server() as server:
        yield server if isinstance(server, str) else server.dsn
