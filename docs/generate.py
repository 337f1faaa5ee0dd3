"""Makes the reference pages and the help of the command line from the code: ``python -m docs.generate``. ``--check`` only compares.

Pages and help are part of the repository: the pages so that they can be read there, the help so that it comes at
once. A test compares them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
import typing
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec

from docs import checks

ROLES = (
    'Who may do what through the admin: `anna = ["operator@sales", "viewer"]`, `role@domain` or `role` for all domains. '
    "Roles are viewer, developer, owner, operator, platform, auditor. Default: nobody is named, and the user of the operating "
    "system that owns the store may do everything. See [roles](../how-to/roles.md)."
)
REFERENCE = Path(__file__).parent / "reference"
HELP = Path(__file__).parents[1] / "src" / "levada" / "cli" / "_help"
EXAMPLE = Path(__file__).parents[1] / "examples" / "order_to_cash"
MADE = "<!-- Made by `python -m docs.generate` from the code. Change the code, not this page. -->\n"

TITLES = {
    "LV10": "General",
    "LV11": "Contracts",
    "LV12": "Apps",
    "LV13": "Store",
    "LV14": "Events",
    "LV15": "Runs",
    "LV16": "Connectors",
    "LV17": "Gateway",
    "LV18": "Command line and configuration",
    "LV19": "Landscape",
    "LV20": "Catalog and governance",
    "LV21": "Testing",
}


def pages() -> dict[str, str]:
    """Every page that is made, by its name below ``docs/reference``."""
    return {
        "errors.md": errors(),
        "configuration.md": configuration(),
        "cli.md": command_line(),
        "checks.md": checks.page(MADE),
        "order-to-cash.svg": picture(),
    }


def help_texts() -> dict[str, str]:
    """What ``levada VERB --help`` prints, by the file in ``HELP`` where it finds it."""
    from levada.cli.main import COMMANDS, app_of

    return {
        f"{name.replace(' ', '-')}.txt": f"{text}\n"
        for verb in COMMANDS
        for name, text in _helps(verb, app_of(verb))
    }


def picture() -> str:
    """The network of the example, as the README shows it."""
    from levada.catalog.describe import describe
    from levada.catalog.drawing import to_svg
    from levada.deployment import load_configuration

    return to_svg(describe(load_configuration(EXAMPLE)))


# -- errors ----------------------------------------------------------------------------


def error_classes() -> dict[str, type]:
    """Every error with a code, by the code; all of Levada is imported for it."""
    import levada
    from levada._errors import LevadaError

    for module in pkgutil.walk_packages(levada.__path__, "levada."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    return {"LV1000": LevadaError, **dict(sorted(LevadaError.codes.items()))}


def errors() -> str:
    """A section for each code."""
    lines = [
        MADE,
        "# Errors",
        "",
        "Every error of Levada's own has a code that never changes its meaning, and says what happened and what to do. What stands in `{braces}` is",
        "filled in where it is raised. `{place}` is a class with its file and line, or a section of `levada.toml`; `{reason}` and `{mend}` are as they fit the case.",
    ]
    section = ""
    for code, cls in error_classes().items():
        if code[:4] != section:
            section = code[:4]
            lines += ["", f"## {TITLES[section]} ({section}xx)"]
        message, rest = _paragraphs(cls)
        lines += ["", f"### {code} {cls.__name__}", ""]
        if code == "LV1000":
            lines.append("The base of all errors below; by itself it stands for what no code was made for.")
            continue
        lines.append(f"> {_literal(message)}")
        if rest:
            lines += ["", rest]
        base = cls.__mro__[1]
        if getattr(base, "code", "LV1000") != "LV1000":
            lines += ["", f"A kind of {base.code} {base.__name__}."]
        lines += ["", f"`{cls.__module__}.{cls.__qualname__}`"]
    return "\n".join(lines) + "\n"


def _paragraphs(cls: type) -> tuple[str, str]:
    message, _, rest = inspect.cleandoc(cls.__dict__.get("__doc__") or "").partition("\n\n")
    return " ".join(message.split()), _markdown(rest)


def _literal(text: str) -> str:
    """Brackets outside code as they are: ``[x]: y`` would be a link, ``<x>`` a tag."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([\[\]<>])", r"\\\1", p) for p in parts)


def _markdown(text: str) -> str:
    """A docstring as Markdown: double back-quotes, roles of Sphinx, literal blocks."""
    text = re.sub(r":\w+:`~?\.?([^`]+)`", r"`\1`", text)
    return " ".join(text.replace("``", "`").split())


# -- configuration ---------------------------------------------------------------------


def configuration() -> str:
    """A table for each section of ``levada.toml``."""
    from levada.app.binding import Remote
    from levada.connect.files._settings import DropSettings
    from levada.connect.http._settings import HttpSettings
    from levada.connect.soap._client import SoapSettings
    from levada.connect.sql._settings import SqlSettings
    from levada.deployment.configuration import Configuration

    lines = [
        MADE,
        "# levada.toml",
        "",
        "One file describes one deployment. `levada.<env>.toml` beside it overlays one environment: what it states wins, table by table.",
        "Relative paths begin where the file lies. An unknown name is an error that tells the nearest known one. Secrets are references,",
        "never values: `env:NAME` or `file:PATH`.",
    ]
    for field in msgspec.structs.fields(Configuration):
        struct = _struct_of(field.type)
        if struct is not None:
            many = not (isinstance(field.type, type) and issubclass(field.type, msgspec.Struct))
            lines += [
                "",
                f"## [{field.name}{'.NAME' if many else ''}]",
                "",
                _lead(struct),
                "",
                *_table(struct),
            ]
        elif field.name == "roles":
            lines += ["", "## [roles]", "", ROLES]
        elif field.name == "bind":
            lines += [
                "",
                "## [bind]",
                "",
                'What stands behind a contract, where it is not plain: `"domain/Name/vMajor"` = a class `"module:Class"` (where several keep it), a URL,',
                "or a table (the same contract, elsewhere):",
                "",
                *_table(Remote),
            ]
        elif field.name == "resources":
            lines += [
                "",
                "## [resources.NAME]",
                "",
                'What adapters use: `db: Database = resource("NAME")`. The scheme of `url` tells what it is; `kind` (`sql`, `http`, `soap`, `files`) says it outright,',
                "and has to for SOAP.",
            ]
            for kind, settings in (
                ("sql", SqlSettings),
                ("http", HttpSettings),
                ("soap", SoapSettings),
                ("files", DropSettings),
            ):
                lines += ["", f"### {kind}", "", _lead(settings), "", *_table(settings)]
    return "\n".join(lines) + "\n"


def _struct_of(annotation: Any) -> type[msgspec.Struct] | None:
    candidates = [annotation, *typing.get_args(annotation)]
    return next((c for c in candidates if isinstance(c, type) and issubclass(c, msgspec.Struct)), None)


def _lead(struct: type) -> str:
    text = _paragraphs(struct)[0]
    text = re.sub(r"^``\[[\w.]+\]``: (\w)", lambda m: m[1].upper(), text)
    return text.replace("``", "`")


def _table(struct: type[msgspec.Struct]) -> Iterator[str]:
    docs = field_docs(struct)
    yield "| field | type | default | |"
    yield "|---|---|---|---|"
    for field in msgspec.structs.fields(struct):
        default = "obligatory" if field.required else f"`{_default(field)}`"
        yield f"| `{field.name}` | `{_type(field.type)}` | {default} | {docs.get(field.name, '')} |"


def field_docs(struct: type) -> dict[str, str]:
    """What the docstring says of each field: ``Attributes:``, or sentences that begin with the name."""
    doc = inspect.cleandoc(struct.__doc__ or "")
    _, found, attributes = doc.partition("Attributes:\n")
    entries = (
        re.findall(r"^    ([\w, ]+): ((?:.|\n(?!    \w[\w, ]*: ))+)", attributes, re.MULTILINE)
        if found
        else []
    )
    if not found:
        entries = re.findall(r"``(\w+)``: ((?:.|\n)+?)(?=\s``\w+``: |\Z)", doc)
    return {
        name.strip(): _sentence(_markdown(text).replace("|", "\\|"))
        for names, text in entries
        for name in names.split(",")
    }


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _default(field: Any) -> str:
    value = field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1 << 20 and value % (1 << 20) == 0:
        return f"{value} ({value >> 20} MiB)"
    if value is None:
        return "-"
    return {"True": "true", "False": "false"}.get(str(value), msgspec.json.encode(value).decode())


def _type(annotation: Any) -> str:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}.get(
            annotation.__name__, annotation.__name__
        )
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _type(annotation.__origin__)
    arguments = [_type(a) for a in typing.get_args(annotation) if a is not type(None)]
    if origin is list:
        return f"list of {arguments[0]}"
    if origin is dict:
        return f"table of {arguments[1]}"
    if origin is typing.Literal:
        return ", ".join(f'"{a}"' for a in typing.get_args(annotation))
    return " or ".join(arguments) or str(annotation)


# -- command line ----------------------------------------------------------------------


def command_line() -> str:
    """Every verb with its help, as the command line itself says it."""
    from levada.cli.main import COMMANDS, GROUPS, app_of

    lines = [
        MADE,
        "# Command line",
        "",
        "`levada COMMAND --help` says the same, word for word. Every command that shows something takes `--json`; every command that takes something away or changes its course takes",
        "`--dry-run`. Exit codes: 0 done; 1 it did not succeed, the message says why; 2 the command line or the configuration is wrong; 3 something was found",
        "that needs a person (parked events, stuck runs, failed checks); 130 interrupted.",
    ]
    for title, verbs in GROUPS:
        lines += ["", f"## {title}"]
        for verb in verbs:
            lines += ["", f"### levada {verb}", "", COMMANDS[verb][1]]
            for name, text in _helps(verb, app_of(verb)):
                lines += [
                    "",
                    *([f"#### levada {name}", ""] if name != verb else []),
                    "```text",
                    text,
                    "```",
                ]
    return "\n".join(lines) + "\n"


def _helps(verb: str, app: Any) -> Iterator[tuple[str, str]]:
    yield verb, _help(app, [])
    for name in app:
        if not name.startswith("-"):
            yield f"{verb} {name}", _help(app, [name])


def _help(app: Any, tokens: list[str]) -> str:
    from rich.console import Console

    out = StringIO()
    console = Console(file=out, width=80, color_system=None, force_terminal=False, legacy_windows=False)
    app.help_print(tokens, console=console)
    text = "\n".join(_plain(out.getvalue().splitlines())).strip("\n")
    return "\n".join([text, *_examples(app, tokens)])


def _examples(app: Any, tokens: list[str]) -> Iterator[str]:
    command = (app[tokens[0]] if tokens else app).default_command
    _, _, examples = inspect.cleandoc(getattr(command, "__doc__", None) or "").partition("\nExamples:\n")
    if examples:
        yield "\nExamples"
        yield from (f"  {line.strip()}" for line in examples.splitlines())


def _plain(lines: Iterable[str]) -> Iterator[str]:
    """Without the frames: they are for terminals."""
    for line in lines:
        text = re.sub(r"^[╭╰][─ ]*(.*?)[─ ]*[╮╯]$", r"\1", line.rstrip())
        text = re.sub(r"^│ ?(.*?) *│$", r"  \1", text).rstrip()
        yield text


def main(arguments: list[str]) -> int:
    """Write the pages and the help, or tell which are out of date."""
    made = {REFERENCE / name: text for name, text in pages().items()}
    made |= {HELP / name: text for name, text in help_texts().items()}
    stale = [path for path, text in made.items() if not path.exists() or path.read_text() != text]
    gone = [path for path in HELP.glob("*") if path not in made]
    if "--check" in arguments:
        root = REFERENCE.parents[1]
        sys.stdout.writelines(
            f"{path.relative_to(root)} is out of date: run `make docs`\n" for path in (*stale, *gone)
        )
        return 1 if stale or gone else 0
    HELP.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(made[path])
    for path in gone:
        path.unlink()
    sys.stdout.write(f"{len(stale)} of {len(made)} files written\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
