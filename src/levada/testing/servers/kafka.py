"""A real Kafka for tests: the one that ``LEVADA_TEST_KAFKA`` names, or one node of its own on a Java.

The programs are Kafka's jars from Maven Central in a folder; in this repository ``make test`` puts
them into ``.venv/kafka``. A test never fetches them.
"""

from __future__ import annotations

import base64
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from levada._errors import LevadaError

__all__ = ["KafkaAbsent", "KafkaServer", "kafka_server"]

WAIT = 60.0
"""Seconds for a start; it takes 3 where nothing else runs."""


class KafkaAbsent(LevadaError, code="LV2112"):
    """There is no Kafka to test with: {reason} With Java 17 and Maven `make test` fetches one; or set LEVADA_TEST_KAFKA to HOST:PORT."""


class KafkaServer:
    """A running server. ``bootstrap``: where it answers without signing in, as its super user.

    ``signed``: where the users that were asked for sign in (SASL PLAIN, no TLS); None without users.
    A server of the user's own cannot be killed or restarted: ``owned`` is False then.
    """

    def __init__(
        self, bootstrap: str, *, signed: str | None = None, jars: Path | None = None, home: Path | None = None
    ) -> None:
        self.bootstrap, self.signed = bootstrap, signed
        self.owned = home is not None
        self._jars, self._home = jars, home
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start an owned server; returns once it answers. After :meth:`kill` it recovers."""
        if not self.owned:
            return
        assert self._home is not None
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._java(), "kafka.Kafka", str(self._home / "server.properties")],
                cwd=self._home, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + WAIT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise KafkaAbsent(reason=f"it did not start; its log ends: {self._tail()}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop an owned server in order: takes some seconds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL an owned server, as a power cut would."""
        self._end(signal.SIGKILL)

    def prepare(self) -> None:
        """Format an owned server's empty disk."""
        assert self._home is not None
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        done = subprocess.run(
            [*self._java(), "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "-c", self._home / "server.properties"],
            cwd=self._home, capture_output=True, check=False, timeout=WAIT,
        )  # fmt: skip
        if done.returncode:
            said = (done.stdout + done.stderr).decode(errors="replace")[-800:]
            raise KafkaAbsent(reason=f"its disk could not be formatted: {said}")

    def _java(self) -> list[str]:
        # Quick to start rather than quick for long; the heap is small for the sake of other tests.
        quick = ("-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
        return [_java(), *quick, "-cp", f"{self._jars}/*"]

    def _answers(self) -> bool:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        host, _, port = self.bootstrap.rpartition(":")
        try:
            socket.create_connection((host, int(port)), 1).close()
            client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            return bool(client.list_topics(timeout=5).brokers)
        except (OSError, KafkaException):
            return False

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(WAIT)

    def _tail(self) -> str:
        assert self._home is not None
        return (self._home / "log").read_text(errors="replace")[-800:]


@contextmanager
def kafka_server(
    jars: Path | None = None,
    *,
    users: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
) -> Generator[KafkaServer]:
    """A server for as long as the block lasts; its data are thrown away then.

    Args:
        jars: The folder of Kafka's jars; None: ``.venv/kafka``.
        users: Names and passwords of users. With them the server has access control lists; who does
            not sign in (``bootstrap``) is super user and may do all.
        settings: Further settings of the broker, over those of one node for tests.

    A server named by ``LEVADA_TEST_KAFKA`` is taken only where neither users nor settings are asked for.

    Raises:
        KafkaAbsent: No server is named, and there is no Java or no jars.
    """
    if (given := os.environ.get("LEVADA_TEST_KAFKA")) and not users and not settings:
        yield KafkaServer(given)
        return
    jars = jars or Path(sys.prefix) / "kafka"
    _java()
    if not any(jars.glob("kafka_*.jar")):
        raise KafkaAbsent(reason=f"{jars} holds no jars of it.")
    home = Path(tempfile.mkdtemp(prefix="levada-kafka-"))
    try:
        ports = _free_ports(3)
        signed = f"127.0.0.1:{ports[2]}" if users else None
        told = {**_one_node(home, ports), **(_access(ports, users) if users else {}), **(settings or {})}
        text = "".join(f"{name}={value}\n" for name, value in told.items())
        (home / "server.properties").write_text(text, encoding="utf-8")
        server = KafkaServer(f"127.0.0.1:{ports[0]}", signed=signed, jars=jars.absolute(), home=home)
        server.prepare()
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _one_node(home: Path, ports: list[int]) -> dict[str, str]:
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{ports[1]}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{ports[0]},CONTROLLER://127.0.0.1:{ports[1]}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "log.dirs": str(home / "data"),
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "group.initial.rebalance.delay.ms": "0",
        # So that a killed server is let back in after two seconds and not after nine.
        "broker.session.timeout.ms": "2000",
        "broker.heartbeat.interval.ms": "400",
    }


def _access(ports: list[int], users: Mapping[str, str]) -> dict[str, str]:
    words = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    return {
        "listeners": f"PLAINTEXT://127.0.0.1:{ports[0]},CONTROLLER://127.0.0.1:{ports[1]},SASL_PLAINTEXT://127.0.0.1:{ports[2]}",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl_plaintext.plain.sasl.jaas.config": f"org.apache.kafka.common.security.plain.PlainLoginModule required {words};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    if found is None or not Path(found).exists():
        raise KafkaAbsent(reason="there is no Java.")
    return found
