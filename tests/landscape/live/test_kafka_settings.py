"""Addresses and properties: what is taken, what is refused, and that no secret shows."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from levada.connect.errors import SecretMissing
from levada.landscape.live import KafkaCluster, kafka_settings
from levada.landscape.live._kafka_settings import KafkaSettingsError

SECRET = "hunter-0f-tw0"


def properties(monkeypatch: pytest.MonkeyPatch, text: str) -> dict[str, str]:
    monkeypatch.setenv("KAFKA_CLIENT", text)
    return kafka_settings("kafka://k:1", "env:KAFKA_CLIENT").properties


@pytest.mark.parametrize(
    ("address", "brokers"),
    [
        ("kafka://k1.acme.org:9093", ("k1.acme.org:9093",)),
        ("kafka://k1,k2:9093/", ("k1:9092", "k2:9093")),
        ("kafka://[::1]:9092", ("[::1]:9092",)),
    ],
)
def test_an_address_names_its_brokers(address: str, brokers: tuple[str, ...]) -> None:
    assert kafka_settings(address).brokers == brokers


@pytest.mark.parametrize(
    "address", ["kafka://", "kafka:/k:1", "kafka://k:0", "kafka://k:99999", "kafka://k:1,,l:2", "kafka://k:1/t", "kafka://a b"]
)  # fmt: skip
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(KafkaSettingsError, match="HOST:PORT"):
        kafka_settings(address)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(KafkaSettingsError) as raised:
        kafka_settings(f"kafka://me:{SECRET}@k:9092")
    assert SECRET not in str(raised.value)
    assert "--kafka-settings" in str(raised.value)


def test_settings_are_a_reference(tmp_path: Path) -> None:
    with pytest.raises(KafkaSettingsError) as raised:
        kafka_settings("kafka://k:1", f"sasl.password={SECRET}")
    assert SECRET not in str(raised.value)
    with pytest.raises(SecretMissing):
        kafka_settings("kafka://k:1", f"file:{tmp_path}/none")


def test_what_java_calls_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        "# a client\n! of Java\nsecurity.protocol : SASL_SSL\nsasl.jaas.config = a.PlainLoginModule required \\\n"
        '   username="me" password="a\\"b;c=d";\nssl.truststore.location=/etc/ca.pem\nssl.truststore.type=PEM\n'
        "ssl.endpoint.identification.algorithm=\nmax.poll.records=5\n"
    )
    assert properties(monkeypatch, text) == {
        "security.protocol": "SASL_SSL", "sasl.username": "me", "sasl.password": 'a"b;c=d', "ssl.ca.location": "/etc/ca.pem",
        "ssl.endpoint.identification.algorithm": "none",
    }  # fmt: skip


def test_a_value_may_be_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", SECRET)
    settings = properties(monkeypatch, "sasl.username=me\nsasl.password=env:KAFKA_PASSWORD\n")
    assert settings["sasl.password"] == SECRET


@pytest.mark.parametrize(
    ("line", "mend"),
    [
        ("ssl.truststore.location=/a/b.jks", "ssl.ca.location"),
        ("ssl.keystore.location=/a/b.jks", "PKCS"),
        (f"sasl.jaas.config=com.acme.Login required token={SECRET};", "sasl.username"),
    ],
)
def test_what_only_java_can_read(monkeypatch: pytest.MonkeyPatch, line: str, mend: str) -> None:
    with pytest.raises(KafkaSettingsError, match=mend) as raised:
        properties(monkeypatch, line)
    assert SECRET not in str(raised.value)


@given(
    key=st.sampled_from(["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret", "sasl.nothing.secret"]),
    broken=st.sampled_from(["", "security.protocol=none", "sasl.nothing=1", "ssl.ca.location=/no/such"]),
)  # fmt: skip
def test_no_secret_shows(key: str, broken: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAFKA_CLIENT", f"{key}={SECRET}\n{broken}\n")
        settings = kafka_settings("kafka://k:1", "env:KAFKA_CLIENT")
        assert SECRET not in repr(settings)
        try:
            shown = repr(KafkaCluster(settings))
        except KafkaSettingsError as error:
            shown = f"{error} {error.values}"
        assert SECRET not in shown
