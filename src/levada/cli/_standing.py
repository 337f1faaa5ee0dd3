"""What ``levada doctor`` finds in the store: stuck runs, parked events, open runs whose code is not here."""

from __future__ import annotations

import getpass
import shlex
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from levada._errors import LevadaError
from levada.cli._check import Check

if TYPE_CHECKING:
    from levada.app import App
    from levada.deployment.adminsocket import Does
    from levada.deployment.configuration import Configuration
    from levada.deployment.forms import KeptForm

__all__ = ["code_of_open", "standing"]

_FORMS_MEND = "levada runs check says what breaks; keep the former form readable with @upcaster"
_MOST = 1_000
_REASON = 200
"""Characters of a reason that are shown; ``levada runs show`` has all of it."""


async def standing(configuration: Configuration, app: App, config: Path, env: str | None) -> list[Check]:
    """What does not go on, each with the command that resolves it; the store has to be there and up to date."""
    stated = [] if config == Path("levada.toml") else ["--config", str(config)]
    options = "".join(f" {shlex.quote(word)}" for word in [*stated, *(["--env", env] if env else [])])
    checks: list[Check] = []
    try:
        async with _does(configuration) as does:
            for look in (_runs, _events, _code):
                try:
                    checks.append(await look(does, app, options))
                except LevadaError as error:
                    name = look.__name__[1:].title()
                    checks.append(Check(name, "note", f"not looked at: {error.code}", error.message))
    except LevadaError as error:
        return [Check("Runs", "note", f"not looked at: {error.code}", error.message)]
    return checks


@asynccontextmanager
async def _does(configuration: Configuration) -> AsyncGenerator[Does]:
    """The running deployment through its socket, else the store; without what opens personal data."""
    from levada.deployment.admin import Admin
    from levada.deployment.adminsocket import AdminClient, answers
    from levada.deployment.build import store_url
    from levada.deployment.roles import Roles
    from levada.deployment.serve_places import admin_path
    from levada.store import open_store

    path = admin_path(configuration)
    if answers(path):
        yield AdminClient(path)
        return
    store = await open_store(store_url(configuration))
    try:
        yield Admin(store, Roles(configuration.roles, configuration.app.environment))
    finally:
        await store.close()


async def _runs(does: Does, _: App, options: str) -> Check:
    stuck: list[dict[str, Any]] = await _ask(does, "runs.list", state="stuck", limit=_MOST)
    if not stuck:
        return Check("Runs", "ok", "none is stuck")
    first = stuck[0]
    return Check(
        "Runs", "failed", f"{_many(stuck)} stuck; the last: {first['code']}, {_short(first['reason'])}",
        f"levada runs show {first['id']}{options} has the commands that resolve it; "
        f"levada runs list --state stuck{options} has all",
    )  # fmt: skip


async def _events(does: Does, _: App, options: str) -> Check:
    aside: list[dict[str, Any]] = await _ask(does, "events.parked", n=_MOST)
    parked = [event for event in aside if event["state"] == "parked"]
    if not parked:
        return Check("Events", "ok", "none is parked")
    first = parked[0]
    return Check(
        "Events", "failed", f"{_many(parked)} parked; the first: {first['subscription']}, {_short(first['reason'])}",
        f"levada events resume {first['id']}{options}, once its cause is mended; "
        f"levada events parked{options} has all",
    )  # fmt: skip


async def _code(does: Does, app: App, options: str) -> Check:
    import msgspec

    from levada.deployment.forms import KeptForm

    counts: dict[str, dict[str, int]] = await _ask(does, "runs.counts")
    kept = msgspec.convert(await _ask(does, "runs.forms"), list[KeptForm])
    rows, forms = code_of_open(app, counts, kept)
    lacking = [row for row in rows if not row["known"]]
    if lacking:
        missing = [f"{row['code']} ({row['open']})" for row in lacking]
        mends = "; ".join(row["mend"] for row in lacking)
        return Check(
            "Code", "failed", f"LV1509: open runs need {', '.join(missing)}, which is not here; levada run does not start",
            f"{mends[:1].upper()}{mends[1:]}; levada runs check{options} says which",
        )  # fmt: skip
    if broken := [form["name"] for form in forms if form["breaks"]]:
        return Check(
            "Code", "failed", f"what the store holds of {', '.join(broken)} cannot be read", _FORMS_MEND
        )
    return Check("Code", "ok", "that of every open run is here")


def code_of_open(
    app: App, counts: Mapping[str, Mapping[str, int]], kept: list[KeptForm]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Whether an app has the code of each open run, and can read the forms that are kept."""
    from levada.contract.compatibility import breaks
    from levada.deployment._handlers import codes_of
    from levada.deployment.forms import check_forms
    from levada.process._missing import mend_of
    from levada.process._states import OPEN

    known = {code.id.code for code in codes_of(app)}
    open_ = {code: sum(n for s, n in states.items() if s in OPEN) for code, states in counts.items()}
    rows = [
        {
            "code": code,
            "open": n,
            "known": code in known,
            "mend": "" if code in known else mend_of(code, known),
        }
        for code, n in sorted(open_.items())
        if n
    ]
    forms = [
        {"name": form.name, "version": form.version, "needed": form.needed, "breaks": breaks(form.findings)}
        for form in check_forms(app, kept)
    ]
    return rows, forms


async def _ask(does: Does, action: str, **arguments: Any) -> Any:
    return await does.do(action, arguments, who=getpass.getuser())


def _many(found: list[dict[str, Any]]) -> str:
    return (
        f"{len(found)} or more are"
        if len(found) == _MOST
        else f"{len(found)} {'is' if len(found) == 1 else 'are'}"
    )


def _short(reason: str | None) -> str:
    said = reason or "no reason is kept"
    return said if len(said) <= _REASON else f"{said[:_REASON]}…"
