"""``levada subjects``: the persons whose data is kept: export, forget, and the secret over their keys."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from levada.cli._operate import At, Common, ask, change, emit, would
from levada.cli._shown import write_json

__all__ = ["app"]

app = App(name="levada subjects", version_flags=())
_Flag = Annotated[bool, Parameter(negative="")]


@app.command
def export(subject: str, /, *, why: str, common: Common = At) -> int:
    """Print all that is kept of a subject, in clear, as JSON; this is audited.

    Args:
        subject: The field that names it and its value, ``customer_id=c-17``; the value alone where
            only one field has it.
        why: Who asked for it; it goes into the audit.
        common: Options of every operating verb.
    """
    found: dict[str, Any] = ask(common, "subjects.export", subject=subject, why=why)
    write_json(found)
    return 0


@app.command
def forget(
    subject: str, /, *, why: str, despite_runs: _Flag = False, dry_run: _Flag = False, common: Common = At
) -> int:
    """Destroy the key of a subject: its data stays where it is, and can never be read again.

    Args:
        subject: As for export.
        why: Why; it goes into the audit.
        despite_runs: Also if runs that know of it have not ended; these get stuck.
        dry_run: Only say what would be done.
        common: Options of every operating verb.
    """
    return change(
        common,
        f"forget {subject} for good",
        "subjects.forget",
        dry_run=dry_run,
        subject=subject,
        why=why,
        despite_runs=despite_runs or None,
    )


@app.command
def rewrap(*, why: str | None = None, dry_run: _Flag = False, common: Common = At) -> int:
    """Put all keys under the present master secret, after it was changed; the former one is not needed any more."""
    if dry_run:
        would(common, "put all keys under the present master secret", "subjects.rewrap")
        return 0
    done: dict[str, int] = ask(common, "subjects.rewrap", why=why)
    emit(common, done, lambda: print(f"{done['keys']} keys lie under the present secret now."))
    return 0
