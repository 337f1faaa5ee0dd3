"""What is shown of a URL is without its password, however that is written."""

import pytest
from tests.started import levada

from levada.app.errors import ConfigurationError
from levada.app.secrets import resolve
from levada.connect.errors import SecretMissing
from levada.connect.secrets import Secret, has_password, mask


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://u:s3cr3t@h/x", "postgresql://u:***@h/x"),
        ("postgresql://u:ab/s3cr3t@127.0.0.1:1/x", "postgresql://u:***@127.0.0.1:1/x"),
        ("postgresql://u:ab#s3cr3t@h", "postgresql://u:***@h"),
        ("postgresql://u:a@s3cr3t@h:1/x", "postgresql://u:***@h:1/x"),
        ("postgresql://u:s3cr3t@[::1]:5/x", "postgresql://u:***@[::1]:5/x"),
        ("no http://a:s3cr3t@c/d, no http://e:s3cr3t@g.", "no http://a:***@c/d, no http://e:***@g."),
        ('{"to":"http://u:s3cr3t@h","mail":"x@y"}', '{"to":"http://u:***@h","mail":"x@y"}'),
        ("amqp://u:s3cr3t@h,amqp://u:s3cr3t@h2", "amqp://u:***@h,amqp://u:***@h2"),
        ("https://h/x?token=s3cr3t&a=1", "https://h/x?token=***&a=1"),
    ],
)
def test_a_password_is_masked_and_found(text, shown):
    assert mask(text) == shown
    assert has_password(text)


@pytest.mark.parametrize(
    "text",
    ["http://h:80/a@b", "http://h:8080/x?m=u@d.org", "https://u@h/x:y@z", "http://h/path:x@y", "a:b@c"],
)
def test_what_has_no_password_stays(text):
    assert mask(text) == text
    assert not has_password(text)


@pytest.mark.parametrize("verb", ["client", "map"])
@pytest.mark.parametrize("source", ["https://u:s3cr3t@127.0.0.1:1/x", "https://h:abc/?token=s3cr3t"])
def test_a_source_that_cannot_be_read_is_said_without_its_secret(tmp_path, verb, source):
    told = levada(tmp_path, verb, source)
    assert told.returncode in (1, 2)
    assert told.stderr.startswith("LV1")
    assert "s3cr3t" not in told.stdout + told.stderr


@pytest.mark.parametrize(
    ("reference", "content"),
    [
        ("file:{folder}/s", b"a secret \r\n\n"),
        ("file://{folder}/s", b"a secret "),
        ("file:~/s", b"a secret \n"),
        ("env:OF_A_TEST", b""),
    ],
)
def test_a_reference_means_the_same_in_all_settings(tmp_path, monkeypatch, reference, content):
    (tmp_path / "s").write_bytes(content)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OF_A_TEST", "a secret ")
    reference = reference.format(folder=tmp_path)
    assert Secret(reference).reveal() == resolve(reference, "[here]") == "a secret "


@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff", "UTF-8"), (b"x" * 1_048_577, "1 MiB"), (None, "cannot be read: No such")]
)
def test_a_file_that_holds_no_secret_is_told_the_same_way(tmp_path, content, said):
    if content is not None:
        (tmp_path / "s").write_bytes(content)
    with pytest.raises(SecretMissing, match=said):
        Secret(f"file:{tmp_path}/s").reveal()
    with pytest.raises(ConfigurationError, match=said):
        resolve(f"file:{tmp_path}/s", "[here]")
