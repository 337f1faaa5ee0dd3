"""``levada adopt SOURCE``: contract, adapter, fake and test from what a system says of itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from levada._errors import LevadaError
from levada._whole import write_whole
from levada.cli._shown import write_json

if TYPE_CHECKING:
    from rich.console import Console

    from levada.connect.adopt import Adopted

__all__ = ["FilesThere", "NotWritable", "adopt"]


class FilesThere(LevadaError, code="LV1823"):
    """{files} there already; nothing was written. Say --force to overwrite, or choose another --package or --out."""


class NotWritable(LevadaError, code="LV1824"):
    """{file} cannot be written: {reason}. {written}; correct that and run it again{force}."""


def adopt(
    source: str,
    /,
    *,
    out: Path = Path(),
    domain: str | None = None,
    name: str | None = None,
    package: str | None = None,
    resource: str | None = None,
    service: str | None = None,
    tables: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    schema: str | None = None,
    also: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    strict: Annotated[bool, Parameter(negative="")] = False,
    force: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Put an API on a system that is there: contract, adapter, fake and a test that is green at once.

    What no machine can decide is marked `TO DECIDE` in what is written, and listed.

    Args:
        source: The address or file of a WSDL, an OpenAPI 3 document or a HAR recording; or a database's URL.
            env:NAME names a variable that has the address or URL: needed where a password is in it.
        out: The folder of the project. Default: here.
        domain: Who owns the API; without it that is left to decide.
        name: The contract's class; default: as the system calls itself.
        package: The Python package to write, such as shop.billing; default: the contract's name.
        resource: The resource in levada.toml that the adapter uses; default: the contract's name.
        service: Which service of a WSDL that has several.
        tables: Which tables of a database, with commas between them or said again; default: all.
        schema: Where a database's tables are; default: where they are found without saying.
        also: A host or folder that the source may refer to, besides its own.
        strict: End with exit code 3 while anything is left to decide.
        force: Overwrite files that are there.
        dry_run: Show what would be written, and write nothing.
        json: Print the report as JSON.

    Examples:
        levada adopt env:ERP_URL --tables kunde,auftrag --domain sales --name Customers
        levada adopt billing.wsdl --domain finance --dry-run
    """
    from levada.connect.adopt import Place, Wishes
    from levada.connect.adopt import adopt as made_of

    wishes = Wishes(
        name=name, domain=domain, package=package, resource=resource, service=service,
        tables=_listed(tables), schema=schema,
    )  # fmt: skip
    made = made_of(Place(source, also), wishes)
    new = _new(out, made.files, force=force or dry_run)
    if not dry_run:
        _write(out, new)
    if json:
        _tell_json(out, made, new, dry_run=dry_run)
    else:
        _tell(out, made, new, dry_run=dry_run)
    return 3 if strict and made.decide else 0


def _listed(given: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.strip() for each in given for name in each.split(",") if name.strip())


def _new(out: Path, files: dict[str, str], *, force: bool) -> dict[str, str]:
    """What is to be written: the packages' own ``__init__.py`` are left as they are."""
    new = {p: t for p, t in files.items() if not (p.endswith("__init__.py") and (out / p).exists())}
    there = [str(out / p) for p in new if (out / p).exists()]
    if there and not force:
        raise FilesThere(files=f"{', '.join(there)} {'are' if len(there) > 1 else 'is'}")
    return new


def _write(out: Path, files: dict[str, str]) -> None:
    for count, (path, text) in enumerate(files.items()):
        file = out / path
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, text)
        except OSError as error:
            raise NotWritable(
                file=file,
                reason=(error.strerror or str(error)).lower(),
                written="What was written before it stays" if count else "Nothing was written",
                force=" with --force" if count else "",
            ) from None


def _tell_json(out: Path, made: Adopted, new: dict[str, str], *, dry_run: bool) -> None:
    report: dict[str, Any] = {
        "contract": made.contract,
        "operations": made.operations,
        "folder": str(out),
        "files": list(new),
        "written": not dry_run,
        "decide": made.decide,
        "left_out": made.left_out,
        "settings": made.settings,
        "environment": made.environment,
    }
    if dry_run:
        report["sources"] = new
    write_json(report, line=True)


def _tell(out: Path, made: Adopted, new: dict[str, str], *, dry_run: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False)

    def say(text: str, **words: str) -> None:
        console.print(text, soft_wrap=True, markup=False, **words)  # type: ignore[arg-type]

    say(
        f"{made.contract}: {len(made.operations)} operations. {'Would be written' if dry_run else 'Written'} in {out}:"
    )
    for path, text in new.items():
        lines = len(text.splitlines())
        say(f"  {path}  ({lines} {'line' if lines == 1 else 'lines'})")
    if dry_run:
        for path, text in new.items():
            say(f"\n--- {path}\n{text}")
    _tell_decisions(made, console)
    if made.left_out:
        say("\nLeft out or widened:", style="bold")
        for note in made.left_out:
            say(f"  {note}")
    say("\nIn levada.toml:", style="bold")
    say("\n".join(f"  {line}" if line else "" for line in made.settings.splitlines()))
    if not dry_run:
        test = next(p for p in made.files if p.startswith("tests/"))
        first = "".join(
            f"export {k}={v}\n  " for k, v in made.environment.items() if not v.startswith("env:")
        )
        say("\nNext:", style="bold")
        say(f"  {first}python -m pytest {test}")


def _tell_decisions(made: Adopted, console: Console) -> None:
    if not made.decide:
        return
    console.print(f"\n[bold yellow]To decide[/] ({len(made.decide)}, each marked TO DECIDE):", soft_wrap=True)
    for each in made.decide:
        console.print(f"  {each.place}  {each.about}: {each.kind}: {each.text}", soft_wrap=True, markup=False)
