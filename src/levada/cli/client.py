"""``levada client URL|FILE``: the typed contract of an API, for a consumer in another repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from levada._whole import write_whole
from levada.cli._shown import write_json
from levada.contract.errors import ModelError

__all__ = ["NotRead", "NotWritten", "client"]


class NotRead(ModelError, code="LV1810"):
    """{place}: {reason} {mend}

    What the contract was to be made from could not be read.
    """


class NotWritten(ModelError, code="LV1811"):
    """{place}: {reason} {mend}

    The file of the contract was not written; what stood there is as it was.
    """


def client(
    source: str,
    /,
    *,
    out: Path | None = None,
    name: str | None = None,
    domain: str | None = None,
    force: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Write the typed contract of an API for its consumers.

    Args:
        source: An OpenAPI 3 document in JSON: its URL or file. Levada serves one at {api path}/openapi.json.
        out: The module to write; without it the module is printed.
        name: The contract's class, if not as the document says.
        domain: Whose API it is, if the document does not say.
        force: Overwrite the module.
        json: Print a report as JSON: what was written, left out and is to be decided.

    Examples:
        levada client https://billing.acme.org/finance/billing/v1/openapi.json --out contracts/billing.py
    """
    import sys

    from levada.contract._generate.read import read
    from levada.contract._generate.write import write

    module = read(_document(source), name=name, domain=domain)
    text = write(module)
    if out is not None:
        if out.exists() and not force:
            raise NotWritten(place=str(out), reason="it exists", mend="Say --force to overwrite it")
        write_whole(out, text)
    if json:
        report = {
            "contract": f"{module.domain}/{module.name}",
            "version": module.version,
            "operations": [m.name for m in module.methods],
            "written": None if out is None else str(out),
            "left_out": module.notes,
            "decide": module.decide,
            "source": text if out is None else None,
        }
        write_json(report, line=True)
        return 0
    if out is None:
        sys.stdout.write(text)
    else:
        sys.stderr.write(f"Wrote {out}: {module.name}, {len(module.methods)} operations.\n")
    for note in module.notes:
        sys.stderr.write(f"Left out or widened: {note}\n")
    for open_ in module.decide:
        sys.stderr.write(f"To decide: {open_}\n")
    return 0


def _said(error: BaseException) -> str:
    """What is wrong, without Python's wrapping of it."""
    cause = getattr(error, "reason", None)
    if isinstance(cause, OSError):
        return _said(cause)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error)


def _document(source: str) -> dict[str, Any]:
    import urllib.request
    from http.client import HTTPException

    import msgspec

    from levada.connect.secrets import mask

    try:
        if source.startswith(("http://", "https://")):
            with urllib.request.urlopen(source, timeout=30) as answer:  # noqa: S310 - http and https alone
                text: bytes = answer.read()
        else:
            text = Path(source).read_bytes()
        return msgspec.json.decode(text, type=dict[str, Any])
    except (OSError, HTTPException) as error:  # HTTPError and URLError too
        raise NotRead(place=mask(source), reason=_said(error), mend="Check the address or the file") from None
    except msgspec.MsgspecError as error:
        raise NotRead(
            place=mask(source), reason=f"it is no JSON object: {error}", mend="Give the JSON form"
        ) from None
