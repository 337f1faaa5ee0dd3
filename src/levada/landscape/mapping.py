"""Map folders: find what each file is, read it, and make one network of what they say."""

from __future__ import annotations

import csv
import os
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct, field, structs

from levada._errors import LevadaError
from levada.landscape._clients import resolve_clients
from levada.landscape._documents import contracts_of_hosts
from levada.landscape._hosts import resolve_hosts
from levada.landscape._kinds import infer_kinds
from levada.landscape._local import settle_local
from levada.landscape._names import resolve_names
from levada.landscape._settle import settle
from levada.landscape._sink import Sink
from levada.landscape.answers import ANSWERS_NAME, read_answers, take_answers
from levada.landscape.importers._redact import excerpt, legible
from levada.landscape.importers.protocol import Context, Finishes, Importer, Malformed, SourceFile
from levada.landscape.live.protocol import Live, Unreachable
from levada.landscape.reconcile import suggest
from levada.landscape.review import REVIEW_NAME, Suggestion, apart, load_review, merges
from levada.network.graph import Finding, Network

__all__ = ["FileReport", "Mapped", "NoSuchFolder", "Progress", "map_folders", "recognised"]

Progress = Callable[[int, int, str], None]
"""Called with files done, files in all, and the source being read."""

SKIPPED_FOLDERS = frozenset(
    [
        ".git",
        ".hg",
        ".svn",
        "node_modules",
        "target",
        "build",
        "dist",
        ".venv",
        "venv",
        "__pycache__",
        ".idea",
        ".vscode",
        ".gradle",
        ".terraform",
        ".metadata",
        ".mule",
        ".tooling",
    ]
)
_BUILT = frozenset(("target", "build", "dist", ".mule", ".tooling"))
"""Those of them that may hold what somebody wrote."""
MAX_FILES = 500_000


class NoSuchFolder(LevadaError, code="LV1902"):
    """There is no folder or file {path} to map. Give the folders that hold the exports: `levada map DIR…`."""


class FileReport(Struct, frozen=True, omit_defaults=True):
    """What became of one file, or of one live source."""

    source: str
    importer: str | None = None
    confidence: float = 0.0
    nodes: int = 0
    flows: int = 0
    skipped: str | None = None
    """Why nothing of it was read; None if it was."""


class Mapped(Struct, kw_only=True):
    """What an import made: the network, and what became of each file."""

    network: Network
    files: list[FileReport] = field(default_factory=list)
    suggestions: list[Suggestion] = field(default_factory=list)
    """Merges that a person may accept; none of them is applied."""
    applied: list[Suggestion] = field(default_factory=list)
    """Merges that a person accepted before, applied here."""

    @property
    def read(self) -> list[FileReport]:
        """The files that were read."""
        return [f for f in self.files if f.skipped is None]


def map_folders(
    paths: Sequence[Path | str],
    *,
    live: Sequence[Live] = (),
    progress: Progress | None = None,
    use: Iterable[Importer] | None = None,
    review: Path | None = None,
    answers: Path | None = None,
) -> Mapped:
    """Read everything under ``paths`` that an importer knows into one network.

    Args:
        paths: Folders (or files). With one folder, evidence names files relative to it;
            with several, each begins with its folder's name.
        live: What runs and is asked itself, after the files were read; one that does not answer
            becomes a finding.
        progress: Called before each file, and with what a live source is being asked.
        review: File of accepted and refused merges; by default ``levada-review.yaml`` in the
            first folder, where there is one.
        answers: Sheet of answers of the people who know; by default ``levada-answers.csv`` in the
            first folder, where there is one.
        use: Importers instead of all installed ones; each instance serves one import.

    Raises:
        NoSuchFolder: One of the paths does not exist. Nothing else stops an import: a file
            that cannot be read becomes a finding.
    """
    if use is None:
        from levada.landscape.importers import importers

        use = importers()
    sink = Sink()
    reports = _read_all([Path(p) for p in paths], live, list(use), sink, progress or _unwatched)
    decided = _beside(paths, review, REVIEW_NAME)
    mapped = reconcile(Mapped(network=_joined(sink.network, decided), files=reports), decided)
    sheet = _beside(paths, answers, ANSWERS_NAME)
    if sheet is not None:
        mapped.network = take_answers(mapped.network, read_answers(sheet), sheet.name)
    return mapped


def _unwatched(done: int, total: int, source: str) -> None:
    """Nobody watches."""


def _read_all(
    paths: Sequence[Path], live: Sequence[Live], importers: list[Importer], sink: Sink, progress: Progress
) -> list[FileReport]:
    """Read each file, let importers finish that need all of them, then ask what runs."""
    files = list(_walk(paths, sink))
    context = Context(files)
    steps = len(files) + len(live)
    reports: list[FileReport] = []
    for done, file in enumerate(files):
        progress(done, steps, file.source)
        reports.append(_read(file, importers, context, sink))
        file.forget()
    for importer in importers:
        _finish(importer, context, sink)
    for done, one in enumerate(live, len(files)):

        def tell(what: str, done: int = done, source: str = one.source) -> None:
            progress(done, steps, f"{source}: {what}")

        reports.append(_ask(one, context, sink, tell))
    sink.take(context.topic_flows())
    progress(steps, steps, "")
    return reports


def _joined(network: Network, decided: Path | None) -> Network:
    """Names of one system that no person has to judge become one, each step on what those before it found."""
    network = contracts_of_hosts(resolve_hosts(network, _merged(network, decided)))
    network = resolve_names(resolve_clients(network))
    return infer_kinds(settle_local(settle(network)))


def recognised(
    paths: Sequence[Path | str], use: Iterable[Importer] | None = None
) -> list[tuple[str, str | None, float]]:
    """What each file would be read as: source, importer (None if none knows it), and how sure it is."""
    if use is None:
        from levada.landscape.importers import importers

        use = importers()
    chosen = list(use)
    out: list[tuple[str, str | None, float]] = []
    for file in _walk([Path(p) for p in paths], Sink()):
        ranked = _ranked(file, chosen, Sink())
        sure, _, best = ranked[0] if ranked else (0.0, 0, None)
        out.append((file.source, best.name if best is not None and sure > 0 else None, sure))
        file.forget()
    return out


def _beside(paths: Sequence[Path | str], given: Path | None, name: str) -> Path | None:
    """The file that was given, or the one of this name in the first folder, if there is one."""
    if given is not None:
        return given
    beside = Path(paths[0]) / name if paths else None
    return beside if beside is not None and beside.is_file() else None


def _walk(paths: Sequence[Path], sink: Sink) -> Iterator[SourceFile]:
    count = 0
    for given in paths:
        if not given.exists():
            from levada.connect.secrets import mask

            raise NoSuchFolder(path=mask(str(given)))
        root = given.resolve()
        prefix = f"{root.name}/" if len(paths) > 1 and root.is_dir() else ""
        if root.is_file():
            yield SourceFile(root, root.name, root.parent)
            continue
        left: list[str] = []

        def unread(exc: OSError, root: Path = root, prefix: str = prefix) -> None:
            where = prefix + os.path.relpath(exc.filename or root, root)
            sink.add(Finding("skipped-folder", "warning", f"not read: {exc.strerror}", where))

        for folder, names, leaves in os.walk(root, followlinks=False, onerror=unread):
            left += [prefix + (Path(folder) / n).relative_to(root).as_posix() for n in names if n in _BUILT]
            names[:] = sorted(
                n for n in names if n not in SKIPPED_FOLDERS and not _of_others(Path(folder) / n)
            )
            linked = [n for n in names if (Path(folder) / n).is_symlink()]
            for leaf in sorted((*leaves, *linked)):
                path = Path(folder) / leaf
                source = legible(prefix + path.relative_to(root).as_posix())
                trouble = _unfit(path, root)
                if trouble:
                    sink.add(Finding("skipped-file", "warning", trouble, source))
                    continue
                count += 1
                if count > MAX_FILES:
                    sink.add(
                        Finding(
                            "skipped-file",
                            "error",
                            f"more than {MAX_FILES:,} files; the rest is not read",
                            source,
                        )
                    )
                    return
                yield SourceFile(path, source, root)
        if left:
            shown = ", ".join(sorted(left)[:5]) + (f" and {len(left) - 5:,} more" if len(left) > 5 else "")
            text = (
                f"not read, as their names are those of what a build makes: {shown}; name one to have it read"
            )
            sink.add(Finding("skipped-folder", "info", text))


def _of_others(folder: Path) -> bool:
    """Is it where Go or PHP keep the code of others that a project is built with?"""
    return folder.name == "vendor" and any((folder / n).is_file() for n in ("modules.txt", "autoload.php"))


def _unfit(path: Path, root: Path) -> str | None:
    if path.is_symlink():
        target = path.resolve()
        if not target.is_relative_to(root):
            return "a link that leads out of the folder; not followed: name what it leads to beside the folder to have it read"
        if not target.exists():
            return "a link that leads nowhere"
        return f"a link to another {'folder' if target.is_dir() else 'file'} of the folder; read there"
    if not path.is_file():
        return "not a regular file"
    return None if os.access(path, os.R_OK) else "not readable by this user"


def _finish(importer: Importer, context: Context, sink: Sink) -> None:
    if isinstance(importer, Finishes):
        context.importer = importer.name
        finishes: Finishes = importer
        _guarded(lambda: sink.take(finishes.finish(context)), importer.name, None, sink)
        for file in context.files.values():
            file.forget()


_FAULTS = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RecursionError, SyntaxError, TypeError,
    ValueError, csv.Error, msgspec.MsgspecError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What a file of an unexpected shape raises in code that reads it; a parser of XML says SyntaxError."""


def _read(file: SourceFile, chosen: Sequence[Importer], context: Context, sink: Sink) -> FileReport:
    ranked = _ranked(file, chosen, sink)
    confidence, _, importer = ranked[0] if ranked else (0.0, 0, None)
    if importer is None or confidence <= 0:
        _guarded(lambda: sink.scan(file), "secrets", file, sink)
        return FileReport(file.source, skipped="not recognised")
    if len(ranked) > 1 and ranked[1][0] == confidence:
        text = f"read as {importer.name}; {ranked[1][2].name} was as likely"
        sink.add(Finding("ambiguous-format", "info", text, file.source))
    context.importer = importer.name
    network = sink.network
    before = len(network.nodes), len(network.flows)
    _guarded(lambda: sink.look(file), "secrets", file, sink)
    _guarded(lambda: sink.take(importer.read(file, context)), importer.name, file, sink)
    _guarded(lambda: sink.scan(file), "secrets", file, sink)
    for note in file.notes:
        sink.add(Finding("read-in-part" if "not read" in note else "encoding", "info", note, file.source))
    return FileReport(
        file.source, importer.name, confidence, len(network.nodes) - before[0], len(network.flows) - before[1]
    )


def _ask(one: Live, context: Context, sink: Sink, tell: Callable[[str], None]) -> FileReport:
    context.importer = one.name
    before = len(sink.network.nodes), len(sink.network.flows)
    skipped = None
    try:
        sink.take(one.read(context, tell))
    except (Unreachable, *_FAULTS) as exc:
        skipped = str(exc)
        sink.add(Finding("unreachable", "error", f"{one.name} could not be read: {skipped}", one.source))
    nodes, flows = len(sink.network.nodes) - before[0], len(sink.network.flows) - before[1]
    return FileReport(one.source, one.name, 1.0, nodes, flows, skipped)


def _ranked(file: SourceFile, chosen: Sequence[Importer], sink: Sink) -> list[tuple[float, int, Importer]]:
    found: list[tuple[float, int, Importer]] = []
    for number, importer in enumerate(chosen):
        try:
            found.append((importer.recognise(file), -number, importer))
        except OSError as exc:
            sink.add(Finding("unreadable-file", "warning", str(exc), file.source))
            return []
        except _FAULTS:
            continue  # it cannot be this importer's; whoever reads it tells what is wrong with it
    return sorted(found, key=lambda r: r[:2], reverse=True)


def _guarded(do: Callable[[], None], who: str, file: SourceFile | None, sink: Sink) -> None:
    """Run one step of an import; what goes wrong with a file becomes a finding, and the import goes on."""
    source = file.source if file else None
    try:
        do()
    except (Malformed, OSError, EOFError, UnicodeError) as exc:
        sink.add(Finding("malformed-file", "warning", f"{who}: {exc}", source, getattr(exc, "line", None)))
    except _FAULTS as exc:
        text = (
            f"{who}: of a shape it does not expect ({type(exc).__name__}: {exc}); what was read before stands"
        )
        sink.add(Finding("malformed-file", "warning", excerpt(text, 300), source))


def _by_ids(row: Suggestion, network: Network) -> Suggestion:
    """The decision with ids in place of names that a person wrote; what the map does not know stays as it is."""
    keep, drop = (found.id if (found := network.resolve(n)) else n for n in (row.keep, row.drop))
    return structs.replace(row, keep=keep, drop=drop)


def _merged(network: Network, review: Path | None) -> dict[str, str]:
    """What a person merged, by the ids that the files gave."""
    return merges(_by_ids(s, network) for s in load_review(review)) if review is not None else {}


def reconcile(mapped: Mapped, review: Path | None) -> Mapped:
    """Apply the merges that a person accepted, and suggest others."""
    decided = [_by_ids(s, mapped.network) for s in load_review(review)] if review is not None else []
    names = merges(decided)
    network = settle_local(mapped.network.renamed(names)) if names else mapped.network
    for row in decided:
        for name in (row.keep, row.drop):
            if name not in mapped.network.nodes and mapped.network.resolve(name) is None:
                text = (
                    f"{name} is no system of this map; what was decided on it ({row.decision}) waits for it"
                )
                network.add_finding(
                    Finding("review", "info", text, review.name if review else None, row.line or None)
                )
    mapped.network = network
    mapped.applied = [s for s in decided if s.decision == "accept"]
    refused = apart(decided)
    mapped.suggestions = [s for s in suggest(network) if frozenset((s.keep, s.drop)) not in refused]
    return mapped
