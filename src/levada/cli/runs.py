"""``levada runs``: durable runs, and what a person does with those that are stuck."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from levada.cli._operate import At, Common, HowMany, ask, change, emit, say, table, when
from levada.cli._shown import console as console_of
from levada.cli._shown import json_text, printable
from levada.cli._shown import show as show_lines

if TYPE_CHECKING:
    from rich.text import Text

__all__ = ["app"]

app = App(name="levada runs", version_flags=())
_Flag = Annotated[bool, Parameter(negative="")]


@app.command(name="list")
def list_(
    *, key: str | None = None, state: str | None = None, limit: HowMany = 100, common: Common = At
) -> int:
    """List runs, newest first. Exit code 3: some of them are stuck.

    Args:
        key: Only runs of this key: of the order that their events name.
        state: Only runs of this state: scheduled, running, waiting, compensating, stuck, done, compensated.
        limit: How many at most.
        common: Options of every operating verb.

    Examples:
        levada runs list --key o-1
    """
    rows: list[dict[str, Any]] = ask(common, "runs.list", state=state, limit=limit, key=key)
    of = "No runs" if key is None else f"No runs of the key {key}"
    empty = of + (f" are {state}." if state else " yet. They begin with an event that a handler takes.")
    width = 6 if any(r["reason"] for r in rows) else 5
    emit(
        common,
        rows,
        lambda: table(
            ("Run", "State", "Code", "Key", "Changed", "Problem")[:width],
            [
                (r["id"], r["state"], r["code"], r["key"], when(r["changed"]), _problem(r))[:width]
                for r in rows
            ],
            empty=empty,
        ),
    )
    if len(rows) == limit and not common.json:
        say(f"These are the newest {limit}; --limit N shows more.", aside=True)
    return 3 if any(r["state"] == "stuck" for r in rows) else 0


def _problem(row: dict[str, Any]) -> str | None:
    again = when(row.get("again"))
    return f"{row['reason']} (next attempt {again})" if again else row["reason"]


@app.command
def show(run: str, /, *, reveal: _Flag = False, why: str | None = None, common: Common = At) -> int:
    """Show one run: its steps as a tree, what it waits for, what can be done. Exit code 3: it is stuck.

    Args:
        run: Its id.
        reveal: Show personal data too; this is audited.
        why: Why they are needed.
        common: Options of every operating verb.

    Examples:
        levada runs show 30fda474dbe46d73312e9f3a1d730be4
    """
    shown: dict[str, Any] = ask(common, "runs.show", run=run, reveal=reveal or None, why=why)
    emit(common, shown, lambda: _show(shown))
    return 3 if shown["state"] == "stuck" else 0


@app.command
def resume(run: str, /, *, why: str | None = None, dry_run: _Flag = False, common: Common = At) -> int:
    """Let a stuck run try again, from where it stands, or a run that waits for its next attempt try now.

    Args:
        run: Its id.
        why: What has changed since; it goes into the audit.
        dry_run: Only say what would be done.
        common: Options of every operating verb.

    Examples:
        levada runs resume 30fda474dbe46d73312e9f3a1d730be4 --why "billing is up again"
    """
    return change(common, f"resume the run {run}", "runs.resume", dry_run=dry_run, run=run, why=why)


@app.command
def answer(
    run: str,
    step: str,
    result: str | None = None,
    /,
    *,
    not_done: _Flag = False,
    why: str,
    dry_run: _Flag = False,
    common: Common = At,
) -> int:
    """Tell a run what only a person knows: what became of a call, or of what it waits for; it goes on with it.

    The run is stuck, waits for its next attempt, or waits. A call that was done, by the run or by hand, is not
    made again. One that was not done is made now; or, where the run is being undone, left out. Other calls of
    unknown outcome stay as they are.

    Args:
        run: Its id.
        step: The step, as ``levada runs show`` names it.
        result: What the system answered, or the awaited event, as JSON; null where the operation answers
            nothing, or the time of a wait is up.
        not_done: The system was asked, and the call was not done.
        why: How you know; it goes into the audit.
        dry_run: Only say what would be done.
        common: Options of every operating verb.
    """
    said = f"answer step {step} of the run {run}: {'not done' if not_done else result}"
    return change(
        common, said, "runs.answer", dry_run=dry_run,
        run=run, step=step, value=result, not_done=not_done or None, why=why,
    )  # fmt: skip


@app.command
def skip(run: str, /, *, why: str, dry_run: _Flag = False, common: Common = At) -> int:
    """Give up a run that is stuck or waits for its next attempt; what it has done stays done, its key is open again."""
    return change(common, f"skip the run {run}", "runs.skip", dry_run=dry_run, run=run, why=why)


@app.command
def compensate(run: str, /, *, why: str, dry_run: _Flag = False, common: Common = At) -> int:
    """Undo what a run has done that is stuck, waits, or waits for its next attempt; newest first."""
    return change(common, f"undo the run {run}", "runs.compensate", dry_run=dry_run, run=run, why=why)


@app.command
def check(*, common: Common = At) -> int:
    """Whether this code can go on with every run that is open and read what is kept. Exit code 3: it cannot.

    A handler's version that a run needs may be missing; a form of an event or an operation that the store
    still holds may not be readable any more.
    """
    import msgspec

    from levada.cli._standing import code_of_open
    from levada.deployment.build import build_app
    from levada.deployment.configuration import load_configuration
    from levada.deployment.forms import KeptForm

    counts: dict[str, dict[str, int]] = ask(common, "runs.counts")
    kept = msgspec.convert(ask(common, "runs.forms"), list[KeptForm])
    rows, forms = code_of_open(build_app(load_configuration(common.config, common.env)), counts, kept)
    emit(common, {"handlers": rows, "forms": forms}, lambda: _show_check(rows, forms))
    return 0 if all(r["known"] for r in rows) and not any(f["breaks"] for f in forms) else 3


def _show_check(rows: list[dict[str, Any]], forms: list[dict[str, Any]]) -> None:
    table(
        ("Code", "Open runs", "Here"),
        [(r["code"], r["open"], "yes" if r["known"] else f"missing: {r['mend']}") for r in rows],
        empty="No run is open: any handler may be deployed.",
        right=("Open runs",),
    )
    if forms:
        table(
            ("Form", "Version", "Needed by", "Readable"),
            [
                (f["name"], f["version"], f["needed"], "\n".join(map(str, f["breaks"])) or "yes")
                for f in forms
            ],
            empty="",
        )


def _show(shown: dict[str, Any]) -> None:
    from rich.text import Text
    from rich.tree import Tree

    console = console_of(highlight=False, rows=True)

    def tell(text: str, style: str = "") -> None:
        console.print(Text(printable(text), style), soft_wrap=True)

    head = Text.assemble((shown["id"], "bold"), f"  {shown['state']}  ", (shown["code"], "dim"))
    console.print(head, soft_wrap=True)
    begun, changed = when(shown["created"]), when(shown["changed"])
    tell(f"key {shown['key'] or '-'}   begun {begun}   changed {changed}   for {shown['initiator']}")
    if shown["trace"]:
        tell(f"trace {shown['trace']}", "dim")
    if shown["reason"]:
        tell(shown["reason"], "red")
    if again := when(shown.get("again")):
        tell(f"next attempt {again}")
    if behind := shown.get("behind"):
        tell(f"stands behind the run {behind} of the same key: levada runs show {behind}")
    tree = Tree("steps")
    _branch(tree, shown["root"])
    for undo in shown["undos"]:
        _branch(tree.add(Text(f"undo of {undo['path'].removeprefix('~')}", "yellow")), undo)
    show_lines(console, tree)
    for wait in shown["waits"]:
        tell(f"waits for {wait['type'] or 'a time'} {wait['key'] or ''} {when(wait['due']) or ''}")
    for command in shown["commands"]:
        tell(f"  {command}", "bold")


def _branch(tree: Any, branch: dict[str, Any]) -> None:
    for step in branch["steps"]:
        tree.add(_step(step))
    for below in branch["branches"]:
        _branch(tree.add(below["path"]), below)


def _step(step: dict[str, Any]) -> Text:
    """A step on one line: its id, what became of it, what was asked, when; how often, if not once."""
    from rich.text import Text

    often = f"{step['attempts']} attempts, " if step["attempts"] > 1 else ""
    arguments = step["arguments"]
    asked = arguments if isinstance(arguments, str) else json_text(arguments, line=True).rstrip()
    return Text.assemble(
        (step["id"], "dim"), f" {step['state']} ", (step["operation"], "bold"),
        f" {printable(asked)} ", (f"{often}{when(step['at'])}", "dim"),
        (f" {printable(step['said'])}" if step["said"] else "", "red"),
    )  # fmt: skip
