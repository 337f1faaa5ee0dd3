"""How the demo goes: start, send, break, wait, reconcile, report."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

from examples.order_to_cash import shown
from examples.order_to_cash.demo.deployment import Deployment
from examples.order_to_cash.demo.reconcile import Reconciliation, reconcile
from examples.order_to_cash.demo.report import Facts, write_report
from examples.order_to_cash.demo.sending import Sent, send, states
from examples.order_to_cash.demo.systems import Systems
from examples.order_to_cash.orders import FeedError, expected, read
from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = ["Options", "play"]

PATIENCE = 150.0
"""Seconds that the network has to come to rest after the last order."""
BILLING_DOWN = 6.0


class Options(Struct, frozen=True):
    """How the demo is to go."""

    orders: Path
    overlay: str | None
    workers: int
    port: int
    calm: bool
    out: Path
    folder: Path
    interactive: bool


async def play(options: Options) -> int:
    """The demo; 0 if it reconciles, 1 if not, 2 if the feed is wrong."""
    console = shown.console()
    try:
        invoices = read(options.orders)
    except FeedError as error:
        console.print(str(error), style="red", markup=False)
        return 2
    oracle = expected(invoices)
    total = sum(i.total for i in invoices)
    console.print(f"\n[bold]Order to cash[/] on {len(invoices):,} real invoices, {total:,.2f} GBP in total\n")
    began = time.monotonic()
    names = ("erp", "billing", "warehouse", "payments") + (("erp2",) if options.overlay else ())
    async with Systems(options.folder, options.orders, names=names) as systems:
        _say(
            console,
            "Legacy systems",
            "ERP (PostgreSQL), billing (SOAP), warehouse (SFTP), payments (REST)"
            + (", new ERP (REST)" if options.overlay else ""),
        )
        environment = {**systems.environment(), "PAYMENT_TERM_SECONDS": "8"}
        async with Deployment(
            options.folder, environment, overlay=options.overlay, workers=options.workers, port=options.port
        ) as network:
            _say(
                console,
                "Network",
                f"three layers in {options.workers} workers, Envoy in front at {network.url}",
            )
            incidents: list[str] = []
            sent, found, rested = await _through(console, options, invoices, systems, network, incidents)
            stuck = await _stuck(network)
            holdings = {name: await systems.holdings(name) for name in ("billing", "warehouse", "payments")}
            result = reconcile(invoices, oracle, found, stuck, holdings)
            seconds = time.monotonic() - began
            facts = Facts(
                orders=options.orders.name, invoices=len(invoices), lines=sum(len(i.lines) for i in invoices), erp="new" if options.overlay else "old",
                workers=options.workers, seconds=seconds, sending=sent.seconds, rested=rested, repeats=sent.repeats, refusals=tuple(sent.refusals), latencies=sorted(sent.latencies),
                incidents=tuple(incidents), calls=await _calls(network), runs=await network.do("runs.counts"), topics=await network.do("events.topics"),
            )  # fmt: skip
            paths = write_report(result, facts, options.out)
            _tell(console, result, facts, paths)
            if options.interactive:
                await _stay(console, network)
    return 0 if result.agrees else 1


async def _through(
    console: Console,
    options: Options,
    invoices: list[Any],
    systems: Systems,
    network: Deployment,
    incidents: list[str],
) -> tuple[Sent, dict[str, Any], float]:
    columns = (
        TextColumn("  {task.description:<22}"),
        BarColumn(40),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        sending = progress.add_task("orders sent", total=len(invoices))
        ending = progress.add_task("orders come to rest", total=len(invoices))
        done = 0

        def moved(count: int) -> None:
            nonlocal done
            done = count
            progress.update(sending, completed=count)

        breaking = (
            None
            if options.calm
            else asyncio.create_task(
                _break(lambda: done / len(invoices), systems, network, incidents, progress.console)
            )
        )
        resting = asyncio.create_task(_rest(network, len(invoices), progress, ending))
        sent = await send(network.url, network.key, invoices, moved)
        if breaking is not None:
            await breaking
        began = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                found = await resting
        except TimeoutError:
            found = await states(network.url, network.key)
        return sent, found, time.monotonic() - began


async def _break(
    share: Any, systems: Systems, network: Deployment, incidents: list[str], console: Console
) -> None:
    """Billing goes down for a while, one worker is killed, an answer is lost after the work was done."""

    async def until(reached: float) -> None:
        while share() < reached:  # noqa: ASYNC110 - the progress of the sending is a number
            await asyncio.sleep(0.05)

    def note(text: str) -> None:
        incidents.append(text)
        console.print(shown.said(f"[yellow]![/] {text}"))

    await until(0.2)
    await systems.fault("billing", down=True)
    note(f"billing is down for {BILLING_DOWN:g} s")
    await until(0.4)
    pid = network.kill_a_worker()
    note(f"worker process {pid} was killed with SIGKILL")
    await asyncio.sleep(BILLING_DOWN)
    await systems.heal("billing")
    note("billing is back")
    await until(0.6)
    await systems.fault("billing", drop_after_next=3)
    await systems.fault("payments", twice_next=20)
    note("billing loses 3 answers after the work was done; payments sends webhooks twice")


async def _rest(network: Deployment, count: int, progress: Progress, task: TaskID) -> dict[str, Any]:
    """Wait until no order is on its way any more; what the Storefront says of each."""
    while True:
        found = await states(network.url, network.key)
        resting = [o for o in found.values() if o["state"] != "being fulfilled"]
        progress.update(task, completed=len(resting))
        if len(found) >= count and len(resting) >= count:
            return found
        counts: dict[str, dict[str, int]] = await network.do("runs.counts")
        if len(found) >= count and not any(n for states_ in counts.values() for state, n in states_.items() if state in ("scheduled", "running", "compensating")) \
                and await _waits_for_nobody(found, counts):  # fmt: skip
            return found
        await asyncio.sleep(0.5)


async def _waits_for_nobody(found: dict[str, Any], counts: dict[str, dict[str, int]]) -> bool:
    """Whether the orders that are still on their way are all stuck: then waiting changes nothing."""
    on_their_way = sum(1 for order in found.values() if order["state"] == "being fulfilled")
    return on_their_way == sum(n.get("stuck", 0) for n in counts.values())


async def _stuck(network: Deployment) -> dict[str, str]:
    """Orders whose run is stuck or whose event is parked: why, and the command that resolves it."""
    found: dict[str, str] = {}
    for run in await network.do("runs.list", state="stuck", limit=1000):
        found[run["key"]] = (
            f"{run['problem']}: {run['reason']} Resolve it with: levada runs show {run['id']}; levada runs resume {run['id']}"
        )
    for parked in await network.do("events.parked"):
        found[str(parked.get("key"))] = (
            f"{parked.get('reason')} Resolve it with: levada events resume {parked.get('id')}"
        )
    return found


async def _calls(network: Deployment) -> list[dict[str, Any]]:
    # Workers hand their counts in every few seconds.
    await asyncio.sleep(6)
    return list(await network.do("calls.read"))


def _say(console: Console, what: str, text: str) -> None:
    console.print(shown.step(what, text))


def _tell(console: Console, result: Reconciliation, facts: Facts, paths: list[Path]) -> None:
    table = Table(title=None, box=None, padding=(0, 2), show_header=True, header_style="dim")
    table.add_column("state")
    table.add_column("invoices", justify="right")
    table.add_column("GBP", justify="right")
    for state, count in sorted(result.states.items(), key=lambda item: -item[1]):
        total = sum(row.in_file for row in result.rows if row.state == state)
        table.add_row(state, f"{count:,}", f"{total:,.2f}")
    console.print()
    console.print(table)
    console.print()
    for row in result.rows:
        if row.state.startswith("parked"):
            console.print(f"  [yellow]{row.number}[/] {row.reason}", markup=True)
    for refusal in facts.refusals[:20]:
        console.print(f"  ✗ {refusal}", style="red", markup=False)
    for fault in result.faults[:20]:
        console.print(f"  ✗ {fault}", style="red", markup=False)
    verdict = "[bold green]Reconciled[/]" if result.agrees else f"[bold red]{len(result.faults)} faults[/]"
    rate = facts.invoices / max(facts.sending, 0.001)
    told = (
        f"{verdict}: {facts.invoices:,} invoices in {facts.seconds:.0f} s, {rate:.0f} accepted a second, "
        f"{facts.repeats} repeats by the sender, {len(facts.incidents)} incidents"
    )
    console.print(shown.said(told))
    console.print(shown.said(f"Report: {', '.join(str(p) for p in paths)}\n"))


async def _stay(console: Console, network: Deployment) -> None:
    console.print("[bold]It stays up. Try:[/]\n")
    base = f"{network.url}/sales/storefront/v1"
    for line in (
        f"curl -H 'x-api-key: {network.key}' {base}/orders/536365/status",
        f"curl -H 'x-api-key: {network.key}' '{base}/orders?state=awaiting%20payment&limit=3'",
        f"curl {base}/openapi.json",
        f"{shown.levada()} runs list --config {network.folder}",
        f"{shown.levada()} events subscriptions --config {network.folder}",
    ):
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print("\n[dim]Ctrl-C ends it.[/]")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
