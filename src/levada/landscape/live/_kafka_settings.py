"""Where a Kafka cluster is and how one signs in there: an address, and a properties file by reference."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from levada._errors import LevadaError
from levada.connect.secrets import Secret, is_reference

__all__ = ["KafkaSettings", "KafkaSettingsError", "kafka_settings"]


class KafkaSettingsError(LevadaError, code="LV1920"):
    """{place} is no way to a Kafka cluster: {problem}"""


class KafkaSettings(Struct, frozen=True):
    """An address and how to sign in. Shows no value in its repr: any may be a secret."""

    address: str
    """``kafka://host:port[,host:port]``, as evidence names the cluster."""
    brokers: tuple[str, ...]
    properties: dict[str, str]
    """By librdkafka's names."""
    unused: tuple[str, ...] = ()
    """Names of properties that do not concern reading: they are not passed on."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Values that must not be shown."""
        return tuple(v for k, v in self.properties.items() if _SECRET.search(k) and v)

    def __repr__(self) -> str:
        return f"KafkaSettings({self.address!r})"


_ADDRESS = re.compile(r"kafka://(?P<brokers>[^/?#]*)/?", re.IGNORECASE)
_BROKER = re.compile(
    r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(?::(?P<port>\d{1,5}))?"
)
_SECRET = re.compile(r"password|\.key$|\.pem$|secret|jaas|oauthbearer", re.IGNORECASE)
_USED = re.compile(
    r"security\.|sasl\.|ssl\.|enable\.ssl\.|enable\.sasl\.|https\.|broker\.address\.|client\.(?:id|dns\.lookup)$"
)
_JAVA_ONLY = re.compile(
    r"ssl\.(?:truststore\.(?:type|password)|keystore\.type|protocol|provider|enabled\.protocols|keymanager\.algorithm"
    r"|trustmanager\.algorithm|secure\.random\.implementation|engine\.factory\.class)$|sasl\.(?:client\.callback|login)\."
)
_JAAS = re.compile(r"\b(username|password)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'([^']*)')")
PORT = 9092


def kafka_settings(address: str, properties: str | None = None) -> KafkaSettings:
    """The settings for ``kafka://host:port[,host:port]``.

    Args:
        address: The brokers to begin with; without a port 9092.
        properties: ``file:PATH`` or ``env:NAME`` of client properties, as Kafka's own tools take them with
            ``--command-config`` (or by librdkafka's names); a value there may be a reference again.

    Raises:
        KafkaSettingsError: The address or a property is malformed.
        SecretMissing: A reference leads nowhere.
    """
    found = _ADDRESS.fullmatch(address)
    if "@" in address:
        shown = re.sub(r"//[^/]*@", "//", address)
        raise KafkaSettingsError(
            place=shown, problem="who signs in does not stand in the address. Put sasl.username and sasl.password into "
            "a properties file and name it: --kafka-settings file:PATH",
        )  # fmt: skip
    parts = [_BROKER.fullmatch(b.strip()) for b in found["brokers"].split(",")] if found else [None]
    brokers = tuple(
        f"{p['host']}:{p['port'] or PORT}" for p in parts if p and 0 < int(p["port"] or PORT) < 65536
    )
    if len(brokers) != len(parts):
        raise KafkaSettingsError(place=address, problem="write kafka://HOST:PORT[,HOST:PORT].")
    used: dict[str, str] = {}
    unused: list[str] = []
    if properties is not None:
        if not is_reference(properties):
            raise KafkaSettingsError(
                place="--kafka-settings", problem="it takes a reference, not the settings themselves. Write file:PATH or env:NAME.",
            )  # fmt: skip
        for key, value in _entries(Secret(properties).reveal()):
            if _USED.match(key) and not _JAVA_ONLY.match(key):
                used.update(_translated(key, Secret(value).reveal(), properties))
            else:
                unused.append(key)
    return KafkaSettings(f"kafka://{','.join(brokers)}", brokers, used, tuple(sorted(set(unused))))


def _entries(text: str) -> Iterator[tuple[str, str]]:
    r"""Keys and values as in Java's properties: ``=`` or ``:`` between them, ``\\`` at the end of a line goes on."""
    for raw in re.sub(r"\\\r?\n[ \t]*", "", text).splitlines():
        line = raw.strip()
        found = re.match(r"([^\s=:#!][^\s=:]*)\s*[=:]?\s*(.*)", line)
        if found:
            yield found[1], found[2]


def _translated(key: str, value: str, place: str) -> Iterator[tuple[str, str]]:
    """What Java's clients call otherwise than librdkafka."""
    if key == "sasl.jaas.config":
        words = {
            m[1]: re.sub(r"\\(.)", r"\1", m[2]) if m[2] is not None else m[3] for m in _JAAS.finditer(value)
        }
        if words.keys() != {"username", "password"}:
            raise KafkaSettingsError(
                place=place, problem="its sasl.jaas.config does not hold a username and a password in quotes. "
                "Write sasl.username and sasl.password instead.",
            )  # fmt: skip
        yield "sasl.username", words["username"]
        yield "sasl.password", words["password"]
    elif key == "ssl.truststore.location":
        if not value.lower().endswith((".pem", ".crt", ".cer")):
            raise KafkaSettingsError(
                place=place, problem="ssl.truststore.location is a keystore of Java, which is read by Java alone. "
                "Export its certificates as PEM (keytool -exportcert -rfc) and name that file as ssl.ca.location.",
            )  # fmt: skip
        yield "ssl.ca.location", value
    elif key == "ssl.truststore.certificates":
        yield "ssl.ca.pem", value
    elif key == "ssl.keystore.location" and value.lower().endswith(".jks"):
        raise KafkaSettingsError(
            place=place, problem="ssl.keystore.location is a keystore of Java, which is read by Java alone. "
            "Give it as PKCS #12 (keytool -importkeystore -deststoretype PKCS12).",
        )  # fmt: skip
    elif key == "ssl.endpoint.identification.algorithm":
        yield key, value or "none"
    else:
        yield key, value
