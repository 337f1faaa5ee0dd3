"""Secrets: found, told, and never stored. The formats are data: a name and a pattern each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

__all__ = [
    "FORMATS",
    "MARK",
    "WORDY",
    "bare",
    "bare_path",
    "excerpt",
    "legible",
    "redact",
    "redact_remark",
    "redact_value",
    "secret_parameters",
    "secrets_in",
]

FORMATS: tuple[tuple[str, str], ...] = (
    ("private key", r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----[\s\S]{0,20000}?(?:-----END [A-Z0-9 ]+-----|\Z)"),
    ("AWS access key id", r"(?i:(?<![A-Za-z0-9])(?:AKIA|ASIA|AGPA|AIDA|AROA)(?=[A-Z]*\d)[A-Z0-9]{16}(?![A-Za-z0-9]))"),
    ("AWS secret key", r"(?i:aws.{0,20}secret.{0,20}?[\"'=:\s]{1,5})[A-Za-z0-9/+]{40}\b"),
    ("GitHub token", r"(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9]{36,255}(?![A-Za-z0-9])"),
    ("GitHub fine-grained token", r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{22,255}(?![A-Za-z0-9])"),
    ("GitLab token", r"gl(?<![A-Za-z0-9]gl)(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_-]{20,}"),
    ("Slack token", r"(?<![A-Za-z0-9])xox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("Slack app token", r"(?<![A-Za-z0-9])xapp-\d-[A-Za-z0-9-]{10,}"),
    ("Slack webhook", r"(?i:(?:https://hooks\.slack\.com)?/services/T[A-Z0-9]*/B[A-Z0-9]*/[A-Z0-9]{16,}|https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9/_-]{20,})"),
    ("Stripe key", r"(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{10,}(?![A-Za-z0-9])"),
    ("Stripe webhook secret", r"(?<![A-Za-z0-9])whsec_[A-Za-z0-9+/=]{16,}"),
    ("Google API key", r"(?<![A-Za-z0-9])AIza[0-9A-Za-z_-]{35}"),
    ("Google OAuth secret", r"(?<![A-Za-z0-9])GOCSPX-[A-Za-z0-9_-]{20,}"),
    ("Google OAuth access token", r"(?<![A-Za-z0-9])ya29\.[A-Za-z0-9_-]{20,}"),
    ("Google refresh token", r"(?<![A-Za-z0-9])1//0[A-Za-z0-9_-]{30,}"),
    ("OpenAI key", r"(?<![A-Za-z0-9])sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}(?![A-Za-z0-9])"),
    ("Anthropic key", r"(?<![A-Za-z0-9])sk-ant-[A-Za-z0-9_-]{20,}"),
    ("Hugging Face token", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,}(?![A-Za-z0-9])"),
    ("Groq key", r"(?<![A-Za-z0-9])gsk_[A-Za-z0-9]{40,}(?![A-Za-z0-9])"),
    ("Twilio key", r"(?<![A-Za-z0-9])(?:SK|AC)[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("SendGrid key", r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("Mailgun key", r"(?<![A-Za-z0-9])key-[0-9a-f]{32}(?![A-Za-z0-9])"),
    ("Mailchimp key", r"(?<![A-Za-z0-9])[0-9a-f]{32}-us\d{1,2}(?![A-Za-z0-9])"),
    ("Telegram bot token", r"(?:(?<![A-Za-z0-9])|(?<=/bot))\d{8,10}:AA[A-Za-z0-9_-]{32,34}(?![A-Za-z0-9])"),
    ("Discord webhook", r"(?:https://(?:ptb\.|canary\.)?discord(?:app)?\.com)?/api/(?:v\d+/)?webhooks/\d+/[A-Za-z0-9_-]{20,}"),
    ("Discord bot token", r"[MNO](?<![A-Za-z0-9][MNO])[A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}(?![A-Za-z0-9])"),
    ("Teams webhook", r"/webhookb2/[A-Za-z0-9@/_-]{30,}"),
    ("npm token", r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])"),
    ("PyPI token", r"(?<![A-Za-z0-9])pypi-[A-Za-z0-9_-]{40,}"),
    ("Docker Hub token", r"(?<![A-Za-z0-9])dckr_(?:pat|oat)_[A-Za-z0-9_-]{20,}"),
    ("DigitalOcean token", r"(?<![A-Za-z0-9])do[oprt]_v1_[a-f0-9]{64}(?![A-Za-z0-9])"),
    ("Shopify token", r"(?<![A-Za-z0-9])shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}(?![A-Za-z0-9])"),
    ("Notion token", r"(?<![A-Za-z0-9])(?:secret_[A-Za-z0-9]{43}|ntn_[A-Za-z0-9]{40,})(?![A-Za-z0-9])"),
    ("Airtable token", r"pat(?<![A-Za-z0-9]pat)[A-Za-z0-9]{14}\.[a-f0-9]{64}(?![A-Za-z0-9])"),
    ("Linear key", r"(?<![A-Za-z0-9])lin_(?:api|oauth)_[A-Za-z0-9]{32,}(?![A-Za-z0-9])"),
    ("HubSpot token", r"(?<![A-Za-z0-9])pat-(?:na|eu)\d-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?![A-Za-z0-9])"),
    ("Atlassian token", r"(?<![A-Za-z0-9])ATATT3[A-Za-z0-9_=-]{50,}"),
    ("Okta token", r"00(?<!\w00)(?![A-Za-z0-9]*[_-][A-Za-z][a-z]+[_-])[A-Za-z0-9_-]{40}(?![A-Za-z0-9_-])"),
    ("Databricks token", r"(?<![A-Za-z0-9])dapi[a-f0-9]{32}(?:-\d)?(?![A-Za-z0-9])"),
    ("HashiCorp Vault token", r"(?<![A-Za-z0-9])hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    ("Terraform Cloud token", r"(?<![A-Za-z0-9])[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}"),
    ("New Relic key", r"(?<![A-Za-z0-9])NR(?:AK|II|JS)-[A-Za-z0-9]{20,}(?![A-Za-z0-9])"),
    ("Grafana token", r"(?<![A-Za-z0-9])gl(?:c|sa)_[A-Za-z0-9_=]{32,}"),
    ("Azure storage key", r"AccountKey=[A-Za-z0-9+/]{43,}={0,2}"),
    ("Azure shared access key", r"SharedAccessKey=[A-Za-z0-9+/]{30,}={0,2}"),
    ("Azure SAS signature", r"[?&]sig=[A-Za-z0-9%/+]{30,}={0,2}"),
    ("Azure client secret", r"(?<![A-Za-z0-9_~.-])[A-Za-z0-9_~.-]{3}8Q~[A-Za-z0-9_~.-]{31,34}"),
    ("JSON Web Token", r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    ("age secret key", r"(?i:(?<![A-Za-z0-9])AGE-SECRET-KEY-1[A-Z0-9]{58}(?![A-Za-z0-9]))"),
    ("Square token", r"(?<![A-Za-z0-9])(?:EAAA|sq0[a-z]{3}-)[A-Za-z0-9_-]{22,}"),
    ("authorization header", r"(?i:\b(?:authorization|proxy-authorization)[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    ("bearer token", r"(?i:[\"'=:]\s*bearer\s+)(?P<secret>(?=[A-Za-z._~+/=-]*\d)[A-Za-z0-9._~+/=-]{8,})"),
    ("secret in a query", r"(?i:[?&;](?:[\w-]*[_-])?(?:(?:access|auth|id|refresh|csrf|session)?token|(?:api|access|secret)?-?key|secret|password|passwd|pwd?|pass|sig|signature|jsessionid|phpsessid|session_?id|auth)=)(?P<secret>(?![${%<*{\[])[^\s&;#\"'<>,/)\]}]{4,})"),
    ("curl password", r"-(?<=\s-)(?:u|-user)[ =]?[\"']?[^\s:\"'$]+:(?!\$)[^\s\"'$]{2,}"),
    ("password in a URL", r"(?<=://)[^\s/@:\"'<>]{0,100}:(?![${%<*{\[])[^\s/@\"'<>]{1,200}(?=@[A-Za-z0-9_\[])"),
    ("password in a connection string", r"(?i:(?<![A-Za-z0-9])(?:password|pwd)\s*=\s*)(?![${%<*{\[])[^;\s\"'&]{2,200}(?=\s*(?:;|$|[\"'&]))"),
    ("command-line password", r"(?<=\s)(?:PGPASSWORD|MYSQL_PWD|SSHPASS|LFTP_PASSWORD)=[\"']?(?!\$)[^\s\"'$]{2,}|\bsshpass\s+-p\s*[\"']?(?!\$)[^\s\"']{2,}"),
    ("MySQL password", r"\b(?:mysql(?:dump|admin|import)?|mariadb(?:-dump)?)\b[^\n|;]{0,300}?\s-p[\"']?(?P<secret>(?![${<])[^\s\"'$]{3,})"),
    ("lftp password", r"\blftp\b[^\n|;]{0,300}?\s(?:-u|--user)[ =]?[\"']?[^\s,\"']{1,100},(?P<secret>(?!\$)[^\s\"'$]{2,})"),
    ("command-line secret", r"(?<![\w-])--(?:[a-z]+-)*(?:token|password|passwd|secret|api-?key|access-?key|secret-?key)(?:=|(?: |[\"'],\s*[\"'])(?=\S*\d))[\"']?(?P<secret>(?![-${%<*{\[\"'])[^\s\"',;<>&{}()\]]{4,})"),
    ("secret of the environment", r"(?<![A-Za-z0-9])(?:[A-Z0-9]+_)*(?:TOKEN|SECRET|SECRET_ACCESS_KEY|ACCESS_KEY|API_KEY|SECRET_KEY|PASSWORD|PASSWORT|PASSWD|PASS|PW|PWD|CREDENTIALS?)[\"']?(?:[ \t]*[:=][ \t]*|,?\s+[\"']?value[\"']?[ \t]*[:=][ \t]*)(?:[\"'](?P<secret>(?![${%<*{\[/]|(?i:null|none|true|false|string|your|required|optional|vault:|env:|file:|secret:|ref\+))[^\s\"'<>{}]{4,300})[\"']|(?P<bare>(?=[^\s.(]*\d)(?![?${%<*{\[!/]|(?i:vault:|env:|file:|secret:|ref\+))[^\s\"',;<>&{}()\[\]]{5,300}))"),
    ("secret in a setting", r"(?i:(?:password|(?<!NO)passwd|passphrase|client[_.-]?secret|secret[_.-]?key|api[_.-]?key|apikey|access[_.-]?token|auth[_.-]?token|private[_.-]?key)[\"']?[ \t]*(?:[:=]|=>)[ \t]*[\"']?)(?![?${%<*{\[!(=]|#\[|@\{|@\w+\(|(?i:null|none|true|false|string|bearer|basic|your|required|optional)\b|(?:item|json|params|process|vars|payload|config|settings|env|this|self|req(?:uest)?|data|body|context|input|options?|credentials?|args)\.[a-z]|vault:|env:|file:|secret:|ref\+|\"|')[^\s\"',;<>&{}()]{4,300}"),
)  # fmt: skip
"""Name and pattern of each known format."""

MARK = "[redacted]"
_HINTS: dict[str, tuple[str, ...]] = {
    "private key": ("PRIVATE",),
    "GitHub token": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"), "GitHub fine-grained token": ("github_pat_",),
    "GitLab token": ("glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-"), "Slack token": ("xox",), "Slack app token": ("xapp-",),
    "Stripe key": ("k_live_", "k_test_"), "Stripe webhook secret": ("whsec_",), "Google API key": ("AIza",),
    "Google OAuth secret": ("GOCSPX-",), "Google OAuth access token": ("ya29.",), "Google refresh token": ("1//0",),
    "OpenAI key": ("sk-",), "Anthropic key": ("sk-ant-",), "Hugging Face token": ("hf_",), "Groq key": ("gsk_",),
    "SendGrid key": ("SG.",), "Mailgun key": ("key-",), "Mailchimp key": ("-us",), "Telegram bot token": (":AA",),
    "Discord webhook": ("/webhooks/",), "Teams webhook": ("webhookb2",), "npm token": ("npm_",),
    "PyPI token": ("pypi-",), "Docker Hub token": ("dckr_",), "DigitalOcean token": ("_v1_",),
    "Shopify token": ("shpat_", "shpca_", "shppa_", "shpss_"), "Notion token": ("secret_", "ntn_"),
    "Airtable token": ("pat",), "Linear key": ("lin_",), "HubSpot token": ("pat-",), "Atlassian token": ("ATATT3",),
    "Databricks token": ("dapi",), "HashiCorp Vault token": ("hvs.", "hvb.", "hvr."), "Terraform Cloud token": ("atlasv1",),
    "New Relic key": ("NRAK", "NRII", "NRJS"), "Grafana token": ("glc_", "glsa_"), "Azure storage key": ("AccountKey=",),
    "Azure shared access key": ("SharedAccessKey=",), "Azure SAS signature": ("sig=",), "Azure client secret": ("8Q~",),
    "JSON Web Token": ("eyJ",), "Square token": ("EAAA", "sq0"), "Okta token": ("00",),
    "password in a URL": ("://",), "command-line password": ("PGPASSWORD", "MYSQL_PWD", "SSHPASS", "LFTP_PASSWORD", "sshpass"),
    "MySQL password": ("-p",), "lftp password": ("lftp",), "command-line secret": ("--",),
    "secret of the environment": ("TOKEN", "SECRET", "_KEY", "PASS", "PW", "CREDENTIAL"),
    "curl password": ("-u", "--user"), "Twilio key": ("SK", "AC"),
}  # fmt: skip
"""Words one of which a text must hold to be searched for a format: most texts are searched for few. None has a blank in it."""
_LOWER_HINTS: dict[str, tuple[str, ...]] = {
    "AWS access key id": ("akia", "asia", "agpa", "aida", "aroa"), "age secret key": ("age-secret",), "AWS secret key": ("aws",), "authorization header": ("authorization",),
    "Slack webhook": ("/services/t", "hooks.slack"), "bearer token": ("bearer",),
    "secret in a query": ("token=", "key=", "secret=", "pass", "pw=", "pwd=", "sig", "sess", "auth="),
    "password in a connection string": ("password", "pwd"),
    "secret in a setting": ("passw", "passphrase", "secret", "api", "token", "private"),
}  # fmt: skip
_PATTERNS: dict[str, str] = dict(FORMATS)
_SHORT = 400
"""Characters of a text that is searched for hints as it is."""
_KEEP = re.compile(
    r"(?is)\A((?:aws.{0,20}secret.{0,20}?[\"'=:\s]{1,5})|(?:(?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?(?:basic|bearer|token)\s+)"
    r"|(?:(?:AccountKey|SharedAccessKey|[?&]sig)=)|(?:(?:password|pwd)\s*=\s*)|(?:[A-Za-z0-9_.-]*?[\"']?\s*(?:=>|[:=])\s*[\"']?))"
)
_EXAMPLE = re.compile(
    r"(?i)(?:\A|[^a-z])(?:x{4,}|changeme|your[_-]|<|example|placeholder|redacted|\*{3,}|dummy|todo)"
)


def secrets_in(text: str) -> Iterator[tuple[str, int, int]]:
    """The secrets of a text in order: name of the format, start and end; none overlaps another."""
    end = 0
    for start, stop, name in sorted(_spans(text), key=lambda s: (s[0], -s[1])):
        if start >= end:
            end = stop
            yield name, start, stop


@cache
def _compiled(name: str) -> re.Pattern[str]:
    return re.compile(_PATTERNS[name], re.MULTILINE)


def _spans(text: str) -> Iterator[tuple[int, int, str]]:
    lower = text.lower()
    # An export repeats its words; each is looked at once.
    words = text if len(text) < _SHORT else " ".join(set(text.split()))
    lower_words = words.lower()
    for name, _ in FORMATS:
        hints, where = _HINTS.get(name), words
        if hints is None:
            hints, where = _LOWER_HINTS.get(name), lower_words
        if hints is not None and not _any_in(hints, where):
            continue
        for found in _near(_compiled(name), name, text, lower):
            group = found.lastgroup or 0
            if not (name in _GENERIC and _EXAMPLE.search(found[group])) and not _FILLER.search(found[0]):
                yield found.start(group), found.end(group), name


def _any_in(hints: tuple[str, ...], text: str) -> bool:
    for hint in hints:  # noqa: SIM110 - a generator takes twice the time, a hundred times a text
        if hint in text:
            return True
    return False


_WORDS: dict[str, dict[str, tuple[int, ...]]] = {
    "secret in a setting": {
        "password": (0,), "passwd": (0,), "passphrase": (0,), "apikey": (0,), "api_key": (0,), "api-key": (0,), "api.key": (0,),
        "private": (0,), "secret": (0, 6, 7), "token": (4, 5, 6, 7),
    },
    "Mailchimp key": {"-us": (32,)}, "password in a URL": {"://": (-3,)},
}  # fmt: skip
"""Words that a format cannot be without, and how far before one (behind it: less than 0) it may begin: only there is it tried."""


def _near(pattern: re.Pattern[str], name: str, text: str, lower: str) -> Iterator[re.Match[str]]:
    """The matches of a format; where it has words, those that begin at one of them."""
    words = _WORDS.get(name)
    if not words or len(lower) != len(text):
        yield from pattern.finditer(text)
        return
    places: set[int] = set()
    for word, offsets in words.items():
        at = lower.find(word)
        while at >= 0:
            places.update(at - offset for offset in offsets if at >= offset)
            at = lower.find(word, at + 1)
    end = 0
    for at in sorted(places):
        if at >= end and (found := pattern.match(text, at)):
            end = found.end()
            yield found


_FILLER = re.compile(r"[xX*]{8,}|(?:\.{3,}|…)\Z")
"""What stands for a secret in a manual, in no real one."""
WORDY = frozenset(
    (
        "secret in a setting", "password in a connection string", "password in a URL", "curl password", "command-line password",
        "authorization header", "bearer token", "secret in a query", "MySQL password", "lftp password", "command-line secret",
        "secret of the environment", "private key", "AWS secret key", "Azure storage key", "Azure shared access key", "Azure SAS signature",
    )
)  # fmt: skip
"""Formats known by what stands before them: what they hold may be an ordinary word."""
_GENERIC = {
    "secret in a setting", "password in a connection string", "secret of the environment", "command-line secret", "bearer token",
    "secret in a query", "MySQL password", "lftp password",
}  # fmt: skip


def redact(text: str) -> str:
    """The text with every secret replaced by ``[redacted]``; what names it stays."""
    if len(text) < 8:
        return text
    out: list[str] = []
    at = 0
    for name, start, end in secrets_in(text):
        kept = _KEEP.match(text[start:end]) if name in _NAMED else None
        out += [text[at:start], kept[1] if kept else "", MARK]
        at = end
    return "".join([*out, text[at:]]) if out else text


_ADDRESS = re.compile(r"[^\s?#]*/|[^\s?#;]*[?;][\w.%-]+=")
_MORE = re.compile(r"[?#]\S*|;[\w.%-]+=[^\s/?#;]*")


@lru_cache(maxsize=65_536)
def bare(text: str) -> str:
    """An address without its query and the parameters of its path; a text that is none as it is."""
    if ("?" in text or ";" in text or "#" in text) and _ADDRESS.match(text):
        return _MORE.sub("", text) or text[:1]
    return text


@lru_cache(maxsize=65_536)
def bare_path(text: str) -> str:
    """An address as :func:`bare` leaves it, each part that looks made by chance as ``{}``."""
    text = bare(text)
    if "/" not in text or len(text) < 20:
        return text
    return "/".join("{}" if len(part) >= 20 and _by_chance(part) else part for part in text.split("/"))


def _by_chance(part: str) -> bool:
    """Does it change between small letters, capitals and digits more often than words do?"""
    plain = part.replace("-", "").replace("_", "")
    if len(plain) < 18 or not plain.isalnum() or not plain.isascii():
        return False
    kinds = [2 if c.isdigit() else c.isupper() for c in plain]
    changes = sum(a != b for a, b in pairwise(kinds)) / len(plain)
    return changes > (0.4 if True in kinds and False in kinds else 0.25)


_IN_QUERIES = _LOWER_HINTS["secret in a query"]


def secret_parameters(path: str) -> list[str]:
    """The names under which the query and the parameters of a path hold secrets."""
    if ("?" not in path and ";" not in path) or not _any_in(_IN_QUERIES, path.lower()):
        return []
    found = _compiled("secret in a query").finditer(path)
    return [f[0][1:].partition("=")[0].lower() for f in found if not _FILLER.search(f[0])]


_REMARK = re.compile(
    r"(?i)(?<![a-z0-9])(?:pw|pwd|pass|passwd|passwort|password|passphrase|kennwort|api[ _-]?key|access[ _-]?key|token|secret|pin)"
    r"\"?\s*(?:(?:[:=]|=>)\s*(?!see\b|siehe\b|in\b|im\b|from\b|the\b|by\b|ask\b|none\b|no\b|yes\b|null\b|n/a|vault\b|env:|file:|secret:|unknown\b|[${%<*{\[])"
    r"|(?:is|ist|lautet)[ :]+(?=\S*\d)(?!\[))[\"']?(?P<secret>[^\s\"',;]{3,300})"
)
"""What a person writes into a remark; in a program it would be a variable as often as a secret."""
_SECRET_KEY = re.compile(
    r"(?i)(?:\A|.*[ _.-])(?:pw|pwd|passwd|passwort|password|passphrase|kennwort|api[ _-]?key|access[ _-]?key|access[ _-]?token|token|secret)\Z"
)


def redact_remark(value: Any) -> Any:
    """Plain data without what a person calls a password, key or token in it."""
    if isinstance(value, str):
        return _REMARK.sub(_without, value) if len(value) > 5 else value
    if isinstance(value, dict):
        return {k: _of_key(str(k), v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(redact_remark(v) for v in value)
    return value


def _of_key(key: str, value: Any) -> Any:
    named = isinstance(value, str) and value and MARK not in value and _SECRET_KEY.match(key)
    if named and not re.match(r"[${<]|(?:vault|env|file|secret):", value):
        return MARK
    return redact_remark(value)


def _without(found: re.Match[str]) -> str:
    return found[0][: found.start("secret") - found.start()] + MARK


def excerpt(text: str, most: int) -> str:
    """The beginning of a text for a message; redacted first, for half a secret is none that would be found."""
    return redact(legible(text))[:most]


def legible(text: str) -> str:
    """Text that every format can hold: half of a character's pair, of a broken escape or a file's name, stands as its number."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


_NAMED = {
    "AWS secret key", "authorization header", "Azure storage key", "Azure shared access key",
    "Azure SAS signature", "password in a connection string", "secret in a setting", "command-line password",
}  # fmt: skip


def redact_value(value: Any, clean: set[str]) -> Any:
    """A value of plain data with every text in it redacted.

    ``clean`` remembers texts that held no secret, so that what stands a thousand times is
    searched once; texts that did hold one are not kept.
    """
    if isinstance(value, str):
        if value in clean:
            return value
        after = redact(legible(value))
        if after == value and len(value) < 500 and len(clean) < 200_000:
            clean.add(value)
        return after
    if isinstance(value, dict):
        return {redact_value(str(k), clean): redact_value(v, clean) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(redact_value(v, clean) for v in value)
    return value
