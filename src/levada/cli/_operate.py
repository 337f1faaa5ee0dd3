"""What the operating verbs share: options, the way to the deployment, times and tables."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from cyclopts import Parameter, validators

from levada.cli._shown import console as console_of
from levada.cli._shown import printable, write_json

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from levada.deployment.adminsocket import Does

__all__ = ["At", "Common", "HowMany", "ask", "change", "emit", "say", "table", "when", "would"]


@Parameter(name="*")
@dataclass(frozen=True)
class Common:
    """Options of every operating verb.

    Attributes:
        config: The configuration, or the folder it is in.
        env: The environment, whose levada.ENV.toml overlays it.
        json: Print as JSON.
        as_: Who does it, in the audit; by default the user of the operating system.
    """

    config: Path = Path("levada.toml")
    env: str | None = None
    json: Annotated[bool, Parameter(negative="")] = False
    as_: Annotated[str | None, Parameter(name="--as")] = None


At = Common()
HowMany: TypeAlias = Annotated[int, Parameter(validator=validators.Number(gte=1))]


@asynccontextmanager
async def _admin(common: Common, *, dry_run: bool = False) -> AsyncGenerator[Does]:
    """The admin of the running deployment through its socket, else of the store, opened here.

    ``dry_run``: a store that is not there yet is not made.
    """
    from levada.deployment.adminsocket import AdminClient, answers
    from levada.deployment.configuration import load_configuration
    from levada.deployment.serve_places import admin_path

    configuration = load_configuration(common.config, common.env)
    path = admin_path(configuration)
    if answers(path):
        yield AdminClient(path)
        return
    from levada.cli._gateway import Door
    from levada.deployment.admin import Admin
    from levada.deployment.build import build_app, personal_of, store_file, store_url
    from levada.deployment.roles import Roles
    from levada.store import open_store
    from levada.store.trying import TryingStore

    url = store_url(configuration)
    file = store_file(url)
    missing = dry_run and file is not None and not file.exists()
    store = await open_store("sqlite::memory:" if missing else url)
    if missing:  # nor are the secrets beside it
        store = TryingStore(store)
    try:
        admin = Admin(
            store, Roles(configuration.roles, configuration.app.environment), configuration.retention
        )
        if configuration.app.modules:
            app = build_app(configuration)
            admin.know(app, None if missing else personal_of(configuration, app, store))
        admin.extend(Door(configuration).extend)
        yield admin
    finally:
        await store.close()


def ask(common: Common, action: str, /, *, dry_run: bool = False, **arguments: Any) -> Any:
    """Do an action of the admin, or only try whether it can be done; arguments that are None are left out."""

    async def asking() -> Any:
        given = {name: value for name, value in arguments.items() if value is not None}
        async with _admin(common, dry_run=dry_run) as admin:
            return await admin.do(action, given, who=common.as_ or getpass.getuser(), dry_run=dry_run)

    return asyncio.run(asking())


def change(
    common: Common,
    said: str,
    action: str,
    /,
    *,
    dry_run: bool,
    counted: Callable[[Any], str] | None = None,
    **arguments: Any,
) -> int:
    """Do an action that changes something, or only try whether it can be done, and say what it would do.

    ``counted``: for one that answers how many it changes: what is said of that.
    """
    result = ask(common, action, dry_run=dry_run, **arguments)
    asked = isinstance(result, dict) and "asked" in result
    if counted is not None and not asked:
        said += counted(result)
    if dry_run:
        would(common, f"{said}, once another person has approved it" if asked else said, action)
        return 0
    if asked:
        id_: str = result["asked"]
        told = f"Asked: {said}. In production another person approves it: levada requests approve {id_}"
        emit(common, {"asked": id_, "would": said}, lambda: say(told))
        return 0
    emit(common, {"done": said, "result": result}, lambda: say(f"Done: {said}."))
    return 0


def would(common: Common, said: str, action: str) -> None:
    """Say what would be done."""
    emit(common, {"would": said, "action": action}, lambda: say(f"Would {said}. Nothing was changed."))


def emit(common: Common, data: Any, show: Callable[[], None]) -> None:
    """Print data as JSON, or show it to a person."""
    if not common.json:
        show()
        return
    write_json(data)


def say(text: str, *, aside: bool = False) -> None:
    """Say a sentence; ``aside``: to who reads the rows, not among them."""
    console_of(stderr=aside, highlight=False).print(text, markup=False, soft_wrap=True)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str, right: Iterable[str] = ()
) -> None:
    """Show rows; or, where there are none, what to do next."""
    from rich.table import Table
    from rich.text import Text

    console = console_of(highlight=False, rows=True)
    made = list(rows)
    if not made:
        console.print(empty, soft_wrap=True, markup=False)
        return
    cells = [[_cell(value, Text) for value in row] for row in made]
    widths = _widths(columns, cells)
    if not console.is_terminal:
        _lines(columns, cells, widths, right)
        return
    if sum(widths) + 2 * (len(widths) - 1) > console.width:
        _packed(console, columns, cells, widths)
        return
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(
            column, justify="right" if column in right else "left", overflow="fold", no_wrap=column == "Run"
        )
    for row in cells:
        shown.add_row(*row)
    console.print(shown)


def _widths(columns: Sequence[str], cells: Sequence[Sequence[Text]]) -> list[int]:
    return [max(len(c), *(row[n].cell_len for row in cells)) for n, c in enumerate(columns)]


def _lines(
    columns: Sequence[str], cells: Sequence[Sequence[Text]], widths: Sequence[int], right: Iterable[str]
) -> None:
    """Rows of a pipe or a file: a line each, however long."""
    from rich.cells import cell_len

    for row in (columns, *([cell.plain for cell in row] for row in cells)):
        told = [
            " " * (width - cell_len(cell)) + cell
            if column in right
            else cell + " " * (width - cell_len(cell))
            for column, cell, width in zip(columns, row, widths, strict=True)
        ]
        print("  ".join(told).rstrip())


def _packed(
    console: Console, columns: Sequence[str], cells: Sequence[Sequence[Text]], widths: Sequence[int]
) -> None:
    """Rows that are wider than the terminal: on as few lines each as its columns need, what follows indented."""
    from rich.padding import Padding
    from rich.text import Text

    lines: list[list[int]] = []
    used = 0
    for n, width in enumerate(widths):
        used += 2 + width
        if not lines or used > console.width:
            lines.append([])
            used = width + (2 if len(lines) > 1 else 0)
        lines[-1].append(n)
    for row in ([Text(c, style="bold") for c in columns], *cells):
        for at, line in enumerate(lines):
            text = Text("  ").join(
                [row[n] + Text(" " * (widths[n] - row[n].cell_len)) for n in line[:-1]] + [row[line[-1]]]
            )
            console.print(Padding(text, (0, 0, 0, 2 if at else 0)), overflow="fold")


_COLOURS = {
    "done": "green", "active": "green", "taken": "green", "running": "cyan", "scheduled": "cyan",
    "waiting": "yellow", "retry": "yellow", "queued": "yellow", "paused": "yellow", "compensating": "yellow",
    "compensated": "magenta", "stuck": "bold red", "parked": "bold red", "revoked": "red", "ended": "red",
    "live": "green",
}  # fmt: skip


def _cell(value: Any, text: Any) -> Any:
    if value is None:
        return text("-", style="dim")
    shown = _told(value)
    return text(shown, style=_COLOURS.get(shown, ""))


def _told(value: Any) -> str:
    """A value in a cell, on one line; what has parts as JSON, which a program can read, too.

    What a caller has put into it may be meant for the terminal, and is shown as what it is.
    """
    if isinstance(value, dict | list):
        import msgspec

        return msgspec.json.encode(value).decode()
    return " ".join(map(printable, str(value).split()))


def when(micros: int | None) -> str | None:
    """Microseconds UTC as local ISO 8601, to the second."""
    if not micros:
        return None
    return datetime.fromtimestamp(micros / 1e6, UTC).astimezone().isoformat(timespec="seconds")
