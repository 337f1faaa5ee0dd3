"""The verbs of ``levada`` and what happens to their errors.

Exit codes: 0 done; 1 it did not succeed, the message says why; 2 the command line or
the configuration is wrong; 3 something was found that needs a person (parked events,
stuck runs, failed checks); 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from cyclopts import App

__all__ = ["COMMANDS", "app_of", "main"]

COMMANDS: dict[str, tuple[str, str]] = {
    "new": ("levada.cli.new:new", "Make a project that runs and is tested."),
    "run": ("levada.cli.run:run", "Serve the app of levada.toml, without a gateway."),
    "up": ("levada.cli.up:up", "Serve the app behind the gateway: Envoy, keys, limits, access log."),
    "describe": ("levada.cli.describe:describe", "Show the network: APIs, dependencies, events."),
    "contract": ("levada.cli.contract:app", "What is published, and whether a change of it breaks anybody."),
    "client": ("levada.cli.client:client", "Write the typed contract of an API for its consumers."),
    "adopt": ("levada.cli.adopt:adopt", "Put an API on a system that is there, from its own description."),
    "db": ("levada.cli.db:app", "The store: its schema and state."),
    "events": ("levada.cli.events:app", "The log, subscriptions, parked events, replay."),
    "runs": ("levada.cli.runs:app", "Durable runs: list, show, resume, answer, compensate."),
    "keys": ("levada.cli.keys:app", "API keys of consumers: create, list, rotate, revoke."),
    "requests": ("levada.cli.requests:app", "What waits for a second person in production."),
    "subjects": ("levada.cli.subjects:app", "Persons whose data is kept: export, forget."),
    "gateway": ("levada.cli.gateway:app", "The gateway's configuration: render, status."),
    "audit": ("levada.cli.audit:app", "Who did what, and whether the chain is whole."),
    "doctor": ("levada.cli.doctor:doctor", "Check this machine and this deployment."),
    "map": ("levada.cli.map:map_", "Map an integration landscape from what is at hand."),
    "review": ("levada.cli.review:review", "Accept or reject suggested merges of systems."),
    "blueprint": (
        "levada.cli.blueprint:blueprint",
        "Choose the APIs and topics that pay, and say what stays.",
    ),
    "plan": ("levada.cli.plan:plan", "Make the 90-day plan, and check what is really done."),
    "report": ("levada.cli.report:report", "Write the report for the board."),
}
"""Verb -> (where it is, what it does). The help is made of this alone, so that it comes at once."""

GROUPS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Build", ("new", "run", "up", "describe", "contract", "client", "adopt")),
    ("Operate", ("db", "events", "runs", "keys", "requests", "subjects", "gateway", "audit", "doctor")),
    ("Map and plan", ("map", "review", "blueprint", "plan", "report")),
)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    from levada.cli._streams import discard_output, prepare

    given = list(sys.argv[1:] if arguments is None else arguments)
    prepare()
    try:
        code = _dispatch(given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        # Whoever read our output has enough; a second error at exit would confuse.
        discard_output()
        code = 0
    except OSError as error:  # of what was left to be written at the end
        from levada.cli._trouble import trouble

        told = trouble("", error)
        if told is None:
            raise
        discard_output()
        code = _tell(told, json=False)
    raise SystemExit(code)


def _dispatch(given: list[str]) -> int:
    if given[:1] == ["help"] and given[1:]:
        given = [*given[1:], "--help"]
    if not given or given[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if given[0] in ("--version", "-V"):
        from levada import __version__

        print(f"levada {__version__}")
        return 0
    verb = given[0]
    if verb not in COMMANDS:
        return _unknown(verb, json="--json" in given[1:])
    if (told := _help_of(verb, given[1:])) is not None:
        print(told, end="")
        return 0
    return _call(verb, given[1:])


def _help_of(verb: str, rest: list[str]) -> str | None:
    """The help of a verb or of one of its commands, if that is what is asked for.

    It is made beforehand, by ``python -m docs.generate``: making it takes longer than what most people wait for.
    """
    from pathlib import Path

    options = rest[: rest.index("--")] if "--" in rest else rest
    alone = not rest and COMMANDS[verb][0].endswith(":app")  # a group, which does nothing by itself
    if not alone and "--help" not in options and "-h" not in options:
        return None
    first = next((word for word in rest if word not in ("--help", "-h")), "")
    command = first if first.replace("-", "").isalpha() and len(first) < 32 else ""
    for name in (f"{verb}-{command}", verb):
        if (file := Path(__file__).with_name("_help") / f"{name}.txt").is_file():
            return file.read_text(encoding="utf-8")
    return None


def app_of(verb: str) -> App:
    """The command line of one verb: what it takes, and its help."""
    import importlib

    from cyclopts import App, Parameter

    where, doc = COMMANDS[verb]
    module, _, name = where.partition(":")
    command = getattr(importlib.import_module(module), name)
    if isinstance(command, App):
        app = command
        app.help = app.help or doc
    else:
        app = App(name=f"levada {verb}", help_format="markdown", version_flags=())
        app.default(command)
    app.default_parameter = Parameter(show_default=_default)
    for each in (app, *(app[name] for name in app if not name.startswith("-"))):
        each["--help"].show = False  # a frame that holds nothing but the option just used
    return app


def _default(value: Any) -> str | None:
    """A default as the help tells it: that nothing is given goes without saying."""
    return None if value is None or value is False or value in ((), "") else str(value)


def _call(verb: str, rest: list[str]) -> int:
    from cyclopts import CycloptsError

    from levada._errors import LevadaError
    from levada.cli._trouble import trouble
    from levada.cli._usage import wrong

    try:
        result = app_of(verb)(rest, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        return _tell(wrong(verb, error), json="--json" in rest)
    except LevadaError as error:
        return _tell(error, json="--json" in rest)
    except BrokenPipeError:
        raise
    except (OSError, ModuleNotFoundError) as error:
        told = trouble(verb, error)
        if told is None:
            raise
        return _tell(told, json="--json" in rest)
    return result if isinstance(result, int) and not isinstance(result, bool) else 0


def _tell(error: Exception, *, json: bool) -> int:
    from levada._errors import LevadaError

    code = error.code if isinstance(error, LevadaError) else "LV1000"
    message = error.message if isinstance(error, LevadaError) else str(error)
    if json:
        from levada.cli._shown import write_json

        write_json({"error": {"code": code, "message": message}}, line=True)
    else:
        from rich.console import Console

        console = Console(stderr=True, highlight=False)
        console.print(f"[bold red]{code}[/] ", end="")
        console.print(message, markup=False, soft_wrap=True)
    return 2 if code.startswith(("LV11", "LV12", "LV18")) else 1


def _unknown(verb: str, *, json: bool) -> int:
    import difflib

    from levada.cli._usage import CommandLineWrong

    near = difflib.get_close_matches(verb, COMMANDS, 1)
    hint = f" Did you mean `levada {near[0]}`?" if near else ""
    error = CommandLineWrong(problem=f"There is no command {verb!r}.{hint}", command="levada")
    return _tell(error, json=json)


def _help() -> str:
    lines = [
        "Usage: levada COMMAND [OPTIONS]",
        "",
        "From point-to-point integrations to a layered network of APIs and events.",
    ]
    for title, verbs in GROUPS:
        lines += ["", f"{title}:"]
        lines += [f"  {verb:<11}{COMMANDS[verb][1]}" for verb in verbs]
    lines += ["", "`levada COMMAND --help` tells more. Every command that shows something takes --json."]
    return "\n".join(lines)
