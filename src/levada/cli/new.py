"""``levada new NAME``: a project that runs and is tested."""

from __future__ import annotations

import errno
import keyword
import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from cyclopts import Parameter

from levada._errors import LevadaError
from levada.cli._shown import write_json

__all__ = ["FolderTaken", "NameRefused", "new"]


class FolderTaken(LevadaError, code="LV1821"):
    """{folder} is there already and is not empty; nothing was written. Choose another name or --folder, or empty it."""


class NameRefused(LevadaError, code="LV1822"):
    """{name!r} cannot name a project: {reason}. Take lower-case letters, digits and hyphens, beginning with a letter: `levada new order-desk`."""


_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*\Z")
_TEMPLATE = Path(__file__).with_name("_template")
_SUFFIX = ".tmpl"


def new(
    name: str,
    /,
    *,
    folder: Path | None = None,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Make a project that runs and is tested: contracts, an adapter, a process, their tests, levada.toml.

    It never overwrites: the folder must not be there, or be empty.

    Args:
        name: The project's name, which is its domain and (with _ for -) its package: shop, order-desk.
        folder: Where to make it; default: a folder of its name, here.
        dry_run: Say what would be written, and write nothing.
        json: Say it as JSON.

    Examples:
        levada new shop
        levada new order-desk --folder work/desk --dry-run
    """
    files = project(name)
    target = folder or Path(name)
    _check_free(target)
    if not dry_run:
        _write(target, files)
    _tell(target, files, dry_run=dry_run, json=json)
    return 0


def project(name: str) -> dict[str, str]:
    """The files of a new project, by their paths in it.

    Raises:
        NameRefused: It is no name of a project.
    """
    package = name.replace("-", "_")
    if not _NAME.match(name):
        raise NameRefused(name=name, reason=_why_not(name))
    if keyword.iskeyword(package) or package in sys.stdlib_module_names or package in ("levada", "tests"):
        raise NameRefused(name=name, reason=f"a package {package} would hide Python's, Levada's or the tests")
    values = {
        "name": name,
        "package": package,
        "domain": name.replace("_", "-"),
        "title": re.sub(r"[-_]", " ", name).capitalize(),
        "python": _in_make(sys.executable),
        "levada": _in_make(_origin()),
    }
    return {
        _path(file, package): _filled(file.read_text(encoding="utf-8"), values)
        for file in sorted(_TEMPLATE.rglob(f"*{_SUFFIX}"))
    }


def _why_not(name: str) -> str:
    if other := sorted(set(re.sub(r"[a-z0-9_-]", "", name))):
        return f"it has {', '.join(map(repr, other))}"
    if not name[:1].isalpha():
        return "it does not begin with a letter" if name else "it is empty"
    return "a hyphen stands at its end or beside another"


def _in_make(text: str) -> str:
    return text.replace("$", "$$").replace(" ", "\\ ")


def _origin() -> str:
    """What pip was given for the Levada that runs: a folder, a wheel, or a name and version."""
    from importlib.metadata import PackageNotFoundError, distribution

    import msgspec

    from levada import __version__

    sources = Path(__file__).parents[3]
    if (sources / "pyproject.toml").is_file() and (sources / "src" / "levada").is_dir():
        return str(sources)
    try:
        told = distribution("levada").read_text("direct_url.json")
    except PackageNotFoundError:
        told = None
    url = str(msgspec.json.decode(told).get("url", "")) if told else ""
    if url.startswith("file://") and (place := Path(unquote(urlsplit(url).path))).exists():
        return str(place)
    return f"levada=={__version__}"


def _path(file: Path, package: str) -> str:
    parts = list(file.relative_to(_TEMPLATE).parts)
    parts[-1] = parts[-1].removesuffix(_SUFFIX)
    if parts[0] == "package":
        parts[0] = package
    return "/".join(parts).replace("gitignore", ".gitignore")


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], text)


def _check_free(target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise FolderTaken(folder=target)


def _write(target: Path, files: dict[str, str]) -> None:
    """The whole project or nothing: a half one would be in the way of the next attempt."""
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    half = Path(mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        for path, text in files.items():
            file = half / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if not target.exists():
            half.chmod(0o777 & ~_umask())
            half.replace(target)  # refused if it is there meanwhile, and not empty
        else:  # somebody may stand in it
            for file in half.iterdir():
                if (target / file.name).exists():
                    raise FolderTaken(folder=target)
                file.replace(target / file.name)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            raise FolderTaken(folder=target) from None
        raise
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _lines(text: str) -> str:
    count = len(text.splitlines())
    return "1 line" if count == 1 else f"{count} lines"


def _tell(target: Path, files: dict[str, str], *, dry_run: bool, json: bool) -> None:
    if json:
        made: dict[str, Any] = {"folder": str(target), "files": list(files), "written": not dry_run}
        write_json(made, line=True)
        return
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False)
    head = "Would be written" if dry_run else "Written"
    console.print(f"[bold]{head}[/] [dim]in[/] {escape(str(target))}")
    for path, text in files.items():
        console.print(f"  {escape(path)} [dim]{_lines(text)}[/]")
    if not dry_run:
        there = escape(shlex.quote(str(target)))
        console.print(f"\nNext:  [bold]cd {there} && make test[/]   then   [bold]make run[/]")
