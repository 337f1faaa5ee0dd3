"""What holds of all tests: the server that many share, bytecode on disk, and which tests run beside which."""

import compileall
import os
import signal
from pathlib import Path

import hypothesis
import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A job begun in the background ignores Ctrl-C, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The tests start hundreds of Python processes, each of which would compile all of levada. They find its bytecode, and write none:
# a module that a test edits twice in a second would be taken for the one before.
if "PYTEST_XDIST_WORKER" not in os.environ:
    compileall.compile_dir(Path(__file__).parents[1] / "src", quiet=2)
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

# A machine that others use too is no reason to fail; with CI=true Hypothesis is reproducible besides, by its own profile.
UNHURRIED = {"deadline": None, "suppress_health_check": [hypothesis.HealthCheck.too_slow]}
_now = hypothesis.settings.get_profile(hypothesis.settings.get_current_profile_name())
hypothesis.settings.register_profile("default", _now, **UNHURRIED)
hypothesis.settings.register_profile("thorough", _now, max_examples=2_000, **UNHURRIED)
hypothesis.settings.load_profile("default")

ALONE = (
    "tests/cli/test_new.py",
    "tests/docs/test_blocks.py",
    "tests/examples/test_demo.py",
    "tests/examples/test_real.py",
    "tests/landscape/test_report.py",
)
"""Files of long tests that share nothing; of all others one worker has the whole file with its servers."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What takes long begins first, so that no worker waits for the other at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None and not alone(item.nodeid))


def alone(test):
    return test.startswith(ALONE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """What a test logs may be no Unicode, and a worker of xdist that has to send it ends the whole run."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    # Not xdist's own loadgroup: the marks of groups do not reach it (xdist 3.8 under pytest 9.2).
    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            return nodeid if alone(nodeid) else nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return ByFile(config, log)


@pytest.fixture(scope="session")
def postgres():
    """One server for all; who needs it empty takes a ``database``."""
    # Not above: what is imported before the tests are collected is not in their coverage.
    from levada.testing.servers.postgres import PostgresAbsent, postgres_server

    try:
        running = postgres_server(settings={"fsync": "off"})
        server = running.__enter__()
    except PostgresAbsent as absent:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(absent))
    yield server
    running.__exit__(None, None, None)


@pytest.fixture
def database(postgres):
    """The DSN of an empty database of its own."""
    made = postgres.database()
    yield made
    postgres.drop(made)
