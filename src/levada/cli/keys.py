"""``levada keys``: API keys of consumers."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter, validators

from levada.cli._operate import At, Common, ask, change, emit, table, when

__all__ = ["app"]

app = App(name="levada keys", version_flags=())
_NONE = "No keys yet: levada keys create --consumer NAME --product DOMAIN/API/v1 --plan PLAN"
_Flag = Annotated[bool, Parameter(negative="")]


@app.command
def create(
    *,
    consumer: str,
    product: str,
    plan: str,
    days: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    why: str | None = None,
    dry_run: _Flag = False,
    common: Common = At,
) -> int:
    """Make a key. It is shown once, and never again.

    Args:
        consumer: Who it is for.
        product: The API, ``sales/Storefront/v1``.
        plan: A plan of levada.toml.
        days: How long it is good; without it, until it is revoked.
        why: Why; it goes into the audit.
        dry_run: Only say what would be done.
        common: Options of every operating verb.

    Examples:
        levada keys create --consumer acme --product sales/Storefront/v1 --plan gold --days 365
    """
    if dry_run:
        said = f"make a key of {consumer} for {product}, plan {plan}"
        return change(
            common, said, "keys.create", dry_run=True,
            consumer=consumer, product=product, plan=plan, days=days, why=why,
        )  # fmt: skip
    made: dict[str, Any] = ask(
        common, "keys.create", consumer=consumer, product=product, plan=plan, days=days, why=why
    )
    emit(common, made, lambda: _once(made))
    return 0


@app.command(name="list")
def list_(*, consumer: str = "", common: Common = At) -> int:
    """List keys, ended ones too; never the keys themselves."""
    rows: list[dict[str, Any]] = ask(common, "keys.list", consumer=consumer)
    emit(
        common,
        rows,
        lambda: table(
            ("Id", "State", "Consumer", "Product", "Plan", "Made", "Ends"),
            [
                (
                    k["id"],
                    k["state"],
                    k["consumer"],
                    k["product"],
                    k["plan"],
                    when(k["created"]),
                    when(k["expires"]),
                )
                for k in rows
            ],
            empty=f"{consumer} has no keys." if consumer else _NONE,
        ),
    )
    return 0


@app.command
def rotate(
    id: str,
    /,
    *,
    grace_hours: Annotated[float, Parameter(validator=validators.Number(gte=0))] = 24,
    why: str | None = None,
    dry_run: _Flag = False,
    common: Common = At,
) -> int:
    """Make a successor of a key, which itself ends after the grace.

    Args:
        id: The key's id.
        grace_hours: How long the old one is still good.
        why: Why; it goes into the audit.
        dry_run: Only say what would be done.
        common: Options of every operating verb.
    """
    if dry_run:
        said = f"make a successor of the key {id}, which itself ends {grace_hours:g} hours later"
        grace = int(grace_hours * 3_600_000_000)
        return change(common, said, "keys.rotate", dry_run=True, id=id, grace=grace, why=why)
    made: dict[str, Any] = ask(common, "keys.rotate", id=id, grace=int(grace_hours * 3_600_000_000), why=why)
    emit(common, made, lambda: _once(made))
    return 0


@app.command
def revoke(id: str, /, *, why: str, dry_run: _Flag = False, common: Common = At) -> int:
    """End a key now and for good."""
    return change(common, f"revoke the key {id}", "keys.revoke", dry_run=dry_run, id=id, why=why)


def _once(made: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(f"[bold]{made['key']}[/]", soft_wrap=True)
    console.print(
        f"[dim]Key {made['id']} of {made['consumer']} for {made['product']}, plan {made['plan']}. "
        "It is not shown again; send it as x-api-key."
    )
