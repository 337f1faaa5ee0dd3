"""``levada map DIR…``: read what is there into a network, and show it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from levada.cli._shown import write_json
from levada.landscape.words import many

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from levada.landscape.answers import Answer
    from levada.landscape.live import KafkaCluster
    from levada.landscape.mapping import FileReport, Mapped

__all__ = ["map_"]

NETWORK_FILES = (".yaml", ".yml", ".jsonl", ".xlsx")
SHEETS = (".csv", ".xlsx")
UNREAD_NAMED = 5


def map_(
    *sources: str | Path,
    json: Annotated[bool, Parameter(negative="")] = False,
    out: Path | None = None,
    review: Path | None = None,
    questions: Path | None = None,
    answers: Path | None = None,
    impact: str | None = None,
    field: str | None = None,
    kafka_settings: str | None = None,
    formats: Annotated[bool, Parameter(negative="")] = False,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Map an integration landscape from the files in these folders and from running Kafka clusters.

    Finds by itself what each file is, and tells what it read, skipped and could not resolve. On a cluster
    nothing is changed; where one does not answer the rest is mapped. Exit code 1: that was so, or nothing was read at all.

    Args:
        sources: Folders with exports, configurations, logs, spreadsheets; clusters as
            kafka://HOST:PORT[,HOST:PORT].
        json: Print the map as JSON (systems, flows, findings) instead of a summary.
        out: Write the network: .yaml, .jsonl, .xlsx, or a folder for CSV files.
        review: File of merges of names, accepted ones are applied, suggestions are added
            (default: levada-review.yaml in the first folder, if it is there).
        questions: Write the ten questions whose answers would change the blueprint most: .csv or .xlsx.
        answers: That sheet with answers, .csv or .xlsx: they are taken in, and remembered in
            levada-answers.csv of the first folder for every later map, blueprint and plan.
        impact: Show who may notice a change of this system (its id or name), nearest first, and who has to be told.
        field: Only of a change of this field of it; who takes unknown fields counts.
        kafka_settings: How to sign in to the clusters: a file of client properties as Kafka's own tools take it
            with --command-config, as file:PATH or env:NAME. A value in it may be such a reference too.
        formats: List what can be read, and whether it was verified on real exports.
        dry_run: Say what each file would be read as, and read nothing.

    Examples:
        levada map exports/ configs/ --out network.yaml --review review.yaml
        levada map network.yaml --impact erp --field customer.email
        levada map exports/ kafka://k1.acme.org:9092 --kafka-settings file:client.properties
    """
    from levada.cli._shown import console as console_of

    console = console_of(stderr=json)
    if formats:
        _formats(console, as_json=json)
        return 0
    _check_line(sources, out, questions, impact, field)
    from levada.cli._sources import sources_of, unread

    given = sources_of(sources, kafka_settings)
    folders, clusters = given.folders, given.clusters
    if dry_run:
        return _dry_run(folders, clusters, console, as_json=json)
    told = None if answers is None else _remember(folders[0] if folders else Path(), answers)
    mapped = _mapped(folders, clusters, review, console)
    understood = told is None or _taken(*told, mapped, console)
    _write(mapped, out, review, questions, console)
    if impact is not None:
        from levada.cli._impact import show_impact

        show_impact(mapped.network, impact, field, console, as_json=json)
    elif json:
        from levada.network.view import as_map

        write_json(as_map(mapped.network))
    else:
        summary(mapped, console)
    return 1 if unread(mapped, given) or not mapped.read or not understood else 0


def _check_line(
    sources: tuple[str | Path, ...],
    out: Path | None,
    questions: Path | None,
    impact: str | None,
    field: str | None,
) -> None:
    from levada.cli._usage import CommandLineWrong

    if not sources:
        problem = "Name the folders to map: `levada map DIR…` (what can be read: `levada map --formats`)."
    elif out is not None and out.suffix and out.suffix not in NETWORK_FILES and not out.is_dir():
        problem = "A network is written to a file that ends with .yaml, .jsonl or .xlsx, or to a folder."
    elif questions is not None and questions.suffix not in SHEETS:
        problem = "Questions are written to a file that ends with .csv or .xlsx."
    elif field is not None and impact is None:
        problem = "A field is one of a system: `levada map DIR… --impact SYSTEM --field FIELD`."
    else:
        return
    raise CommandLineWrong(problem=problem, command="levada map")


def _write(
    mapped: Mapped, out: Path | None, review: Path | None, questions: Path | None, console: Console
) -> None:
    """Write what was asked for, and say where it is."""
    if out is not None:
        from levada.network import text

        text.write(mapped.network, out)
        console.print(f"Written to [bold]{out}[/]")
    if review is not None:
        from levada.landscape.review import write_review

        count = write_review(review, mapped.suggestions)
        console.print(
            f"{many(count, 'suggested merge')} to review in [bold]{review}[/]: levada review {review}"
        )
    if questions is not None:
        from levada.landscape.questions import write_questions

        write_questions(mapped.network, questions)
        console.print(f"Questions written to [bold]{questions}[/]")


def _remember(folder: Path, answers: Path) -> tuple[list[Answer], Path]:
    from levada.landscape.answers import AnswersError, read_answers, remember

    given = read_answers(answers)
    if not folder.is_dir():
        raise AnswersError(path=answers, problem=f"answers are remembered in a folder, and {folder} is none")
    return given, remember(folder, given)


def _taken(given: list[Answer], kept: Path, mapped: Mapped, console: Console) -> bool:
    """Tell how many answers were taken in; False if there were some and none was."""
    from levada.landscape.answers import refused

    left = refused(mapped.network, given, kept)
    more = f"; {left:,} could not be taken, the findings say why" if left else ""
    taken = len(given) - left
    console.print(f"{many(taken, 'answer')} taken in and remembered in [bold]{kept}[/]{more}")
    return bool(taken) or not given


def _mapped(
    folders: tuple[Path, ...], clusters: tuple[KafkaCluster, ...], review: Path | None, console: Console
) -> Mapped:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from levada.landscape.mapping import map_folders

    bar = Progress(
        TextColumn("[bold]Reading"), BarColumn(), MofNCompleteColumn(), TextColumn("[dim]{task.description}"),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=None)

        def progress(done: int, total: int, source: str) -> None:
            bar.update(task, completed=done, total=total, description=source[-60:])

        return map_folders(folders, live=clusters, progress=progress, review=review)


def _formats(console: Console, *, as_json: bool) -> None:
    from rich.table import Table

    from levada.landscape.importers import importers

    if as_json:
        rows = [{"importer": i.name, "formats": i.formats, "verified": i.verified} for i in importers()]
        write_json(rows)
        return
    table = Table("Importer", "Reads", "Verified", box=None, pad_edge=False, header_style="bold")
    for importer in importers():
        real = importer.verified == "on real exports"
        table.add_row(
            importer.name,
            "; ".join(importer.formats),
            f"[{'green' if real else 'yellow'}]{importer.verified}[/]",
        )
    console.print(table)


def _dry_run(
    folders: tuple[Path, ...], clusters: tuple[KafkaCluster, ...], console: Console, *, as_json: bool
) -> int:
    from rich.markup import escape
    from rich.table import Table

    from levada.landscape.mapping import recognised

    found = [*recognised(folders), *((c.source, c.name, 1.0) for c in clusters)]
    if as_json:
        rows: list[dict[str, Any]] = [{"source": s, "importer": i, "confidence": c} for s, i, c in found]
        write_json(rows)
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("Source", overflow="fold")
    table.add_column("Would be read as", no_wrap=True)
    table.add_column("Sure", no_wrap=True, justify="right")
    for source, importer, confidence in sorted(found, key=lambda f: f[1] is None):
        if importer:
            table.add_row(escape(source), importer, f"{confidence:.0%}")
        else:
            table.add_row(escape(source), "[yellow]not recognised[/]", "")
    console.print(table)
    what = "files and clusters" if clusters else "files"
    console.print(f"{sum(1 for f in found if f[1])} of {len(found)} {what} recognised; nothing was read.")
    return 0


def summary(mapped: Mapped, console: Console) -> None:
    """The map for a person at a terminal."""
    network = mapped.network
    read = mapped.read
    console.print()
    console.print(
        f"{_bold(len(network.nodes), 'system')}  {_bold(len(network.flows), 'flow')}  {_bold(len(network.pairs()), 'pair')}   "
        f"from [bold]{len(read):,}[/] of {many(len(mapped.files), 'source')}"
    )
    _unread(mapped, console)
    if read:
        console.print()
        console.print(_overview(mapped))
    _findings(mapped, console)


def _bold(number: int, one: str) -> str:
    count, _, word = many(number, one).partition(" ")
    return f"[bold]{count}[/] {word}"


def _overview(mapped: Mapped) -> Table:
    """What was read, what is known of the flows, and who is depended on most, side by side."""
    from rich.markup import escape
    from rich.table import Table

    network = mapped.network
    by_importer = Counter(f.importer for f in mapped.read)
    sources = _table("Read as", "Files")
    for name, count in by_importer.most_common():
        sources.add_row(name or "", f"{count:,}")
    known = _table("Known", "Flows", "%")
    for label, count in _coverage(mapped):
        known.add_row(label, f"{count:,}", f"{count / len(network.flows):.0%}" if network.flows else "")
    busiest = _table("Most depended on", "By")
    fan_in = Counter(p for _, p in network.pairs())
    top = fan_in.most_common(8)
    shown = Counter(network.nodes[id_].name or id_ for id_, _ in top)
    for id_, count in top:
        name = network.nodes[id_].name or id_
        busiest.add_row(escape(name if shown[name] == 1 else id_), str(count))
    grid = Table.grid(padding=(0, 3))
    grid.add_row(sources, known, busiest)
    return grid


def _unread(mapped: Mapped, console: Console) -> None:
    """What no importer knows, by name: nobody should have to count files to find that one is missing."""
    from levada.landscape.answers import ANSWERS_NAME
    from levada.landscape.review import REVIEW_NAME

    own = (ANSWERS_NAME, REVIEW_NAME)
    names = [f.source for f in mapped.files if _unknown(f) and Path(f.source).name not in own]
    if names:
        told = f"Not recognised: {', '.join(names[:UNREAD_NAMED])}"
        if len(names) > UNREAD_NAMED:
            told += f" and {len(names) - UNREAD_NAMED:,} more (all: levada map DIR… --dry-run)"
        console.print(told, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if not mapped.read:
        console.print("Nothing was read. What can be: levada map --formats", soft_wrap=True)


def _unknown(file: FileReport) -> bool:
    """Does no importer know it? What one knows and could not read is a finding."""
    return file.skipped is not None and file.importer is None


def _coverage(mapped: Mapped) -> list[tuple[str, int]]:
    flows = mapped.network.flows.values()
    return [
        *(
            (status, sum(1 for f in flows if f.status == status))
            for status in ("observed", "configured", "declared")
        ),
        ("mode", sum(1 for f in flows if f.mode != "unknown")),
        ("object", sum(1 for f in flows if f.object)),
        ("volume", sum(1 for f in flows if f.volume_day is not None)),
    ]


def _table(first: str, *others: str) -> Table:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column(first, no_wrap=True, max_width=28)
    for name in others:
        table.add_column(name, no_wrap=True, justify="right")
    return table


def _findings(mapped: Mapped, console: Console) -> None:
    from rich.markup import escape

    findings = mapped.network.findings
    if not findings:
        return
    console.print()
    counts = Counter((f.severity, f.kind) for f in findings)
    colour = {"error": "red", "warning": "yellow", "info": "dim"}
    examples = {(f.severity, f.kind): f for f in reversed(findings)}
    order = {"error": 0, "warning": 1, "info": 2}
    for (severity, kind), count in sorted(counts.items(), key=lambda c: (order[c[0][0]], -c[1])):
        first = examples[severity, kind]
        place = (
            f"  [dim]{escape(first.source)}{f':{first.line}' if first.line else ''}[/]"
            if first.source
            else ""
        )
        console.print(
            f"[{colour[severity]}]{count:>5,} {kind}[/]  {escape(first.text[:100])}{place}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
