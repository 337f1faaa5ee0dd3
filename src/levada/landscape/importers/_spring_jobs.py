"""When a Spring program uses a setting: by the ``@Scheduled`` methods that lead to it, and by nothing else.

What uses a setting is found by names: a source file that holds its key, the files that mention
what that one declares, and so on up. A file that nobody mentions and that no clock starts is
started by somebody unknown, and so is one that answers requests or messages. Where such a
start leads to the setting too, only schedules near it are believed: in a large program all
files mention each other somehow.
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property

from msgspec import Struct

from levada.landscape.importers._programs import Program, Setting
from levada.landscape.importers._schedules import every, seconds_of
from levada.landscape.importers.protocol import Context, Malformed, SourceFile
from levada.landscape.periods import UNSCHEDULED
from levada.network.graph import Evidence

__all__ = ["Jobs", "Sources", "module_of"]

_NEAR = 1
"""Steps from the file that holds a key to one that is near it: the one that uses its client."""
MAX_SOURCE = 1_000_000
"""Bytes of a source file that is looked at; what people write is smaller."""
_ASIDE = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_UNUSED = re.compile(
    r"(?m)^\s*(?:import|package)\b[^\n]*$|@(?:EnableConfigurationProperties|Import|See)\b\s*\([^)]*\)"
)
"""Where a name stands that is not used by it."""
_DECLARED = re.compile(r"\b(?:class|interface|record|object|enum)\s+([A-Z]\w*)")
_STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
_SOURCE = (".java", ".kt")
_OTHERS = (".xml", ".groovy", ".scala", ".html", ".jsp")
"""Files that may use a setting and are not read any further."""
_BEAN = re.compile(
    r"@Bean\b(?:\s*\([^)]*\))?\s+(?:(?:public|protected|open|static)\s+)*(?:fun\s+\w+\s*\([^{=]*?\)\s*:\s*)?([A-Z]\w*)(<)?"
)
_KEY = re.compile(r"[$#]\{\s*['\"]?([\w.\[\]-]+)|(?:getProperty|getRequiredProperty)\(\s*\"([\w.\[\]-]+)\"")
_PREFIX = re.compile(r"@ConfigurationProperties\s*\(\s*(?:(?:prefix|value)\s*=\s*)?\"([\w.-]+)\"")
_ELSEWHERE = re.compile(
    r"@(?:\w*Mapping|\w*Listener|\w*Controller|PostConstruct|ServiceActivator|Endpoint|Async|Incoming|Recurring)\b"
    r"|\b(?:CommandLineRunner|ApplicationRunner|ApplicationListener|SmartLifecycle|InitializingBean|SchedulingConfigurer|QuartzJobBean"
    r"|TaskScheduler|ScheduledExecutorService)\b|@Bean[^{;]*\b(?:Consumer|Supplier|Function)<"
)
"""What starts code otherwise: requests, messages, the start of the program, clocks that are set by code."""
_CONSTANT = re.compile(
    r"\b(?:static\s+final\s+\w+|final\s+static\s+\w+|const\s+val)\s+(\w+)\s*(?::\s*\w+\s*)?=\s*([^;\n]+)"
)
_UNITS = {
    "NANOSECONDS": 1e-9,
    "MICROSECONDS": 1e-6,
    "MILLISECONDS": 1e-3,
    "SECONDS": 1.0,
    "MINUTES": 60.0,
    "HOURS": 3600.0,
    "DAYS": 86_400.0,
}


class _Unit(Struct, eq=False):
    """One file of a program."""

    names: frozenset[str]
    """What others call it by: its classes, what they implement, the types of its beans."""
    words: frozenset[str]
    keys: frozenset[str]
    prefixes: tuple[str, ...]
    schedules: frozenset[str]
    elsewhere: bool
    """Is it also started by what is no clock, or by nobody knows what?"""

    def holds(self, key: str) -> bool:
        """Does it use the setting of this key?"""
        return key in self.keys or any(key.startswith(p) for p in self.prefixes)


class Sources:
    """The sources of an import; those of no program (``modules`` are the programs' folders) are libraries of any."""

    def __init__(self, context: Context, modules: Iterable[str | None]) -> None:
        self._context, self._modules = context, {*modules, None}

    def of(self, module: str, suffixes: tuple[str, ...]) -> Iterator[str]:
        """The texts of a module's files under ``src/main``, without their comments."""
        for file in self._context.under(f"{module}/src/main".strip("/")):
            if file.suffix in suffixes and (code := _code(file)) is not None:
                yield code

    @cached_property
    def libraries(self) -> list[_Unit]:
        """What of settings the sources beside the programs use."""
        out: list[_Unit] = []
        for source, file in self._context.files.items():
            if file.suffix in _SOURCE and module_of(source) not in self._modules and (code := _code(file)):
                out.append(_unknown(code))
        return [u for u in out if u.keys or u.prefixes]


def _unknown(code: str) -> _Unit:
    """A file of which only the settings that it uses are read."""
    keys, prefixes = (
        frozenset(_flat(a or b) for a, b in _KEY.findall(code)),
        tuple(map(_flat, _PREFIX.findall(code))),
    )
    return _Unit(frozenset(), frozenset(), keys, prefixes, frozenset(), elsewhere=True)


def module_of(source: str) -> str | None:
    """The module's folder that a file belongs to; None where it lies in none."""
    module, inside, _ = f"/{source}".partition("/src/main/")
    return module.strip("/") if inside else None


class Jobs:
    """The schedules of a program's settings, by its sources under ``src/main`` beside them."""

    def __init__(self, program: Program, sources: Sources) -> None:
        self._program, self._sources = program, sources
        self._keys: dict[Evidence, set[str]] = {}
        for setting in program.settings:
            self._keys.setdefault(setting.evidence, set()).add(_flat(setting.key))

    def schedules(self, places: Iterable[Evidence]) -> set[str]:
        """When what stands at these places of the settings is used."""
        keys = [self._keys.get(place, {""}) for place in places]
        return {schedule for held in keys for key in held for schedule in self._of_key(key)}

    def _of_key(self, key: str) -> set[str]:
        if not self._units or any(u.holds(key) for u in self._sources.libraries):
            return {UNSCHEDULED}
        # A class of settings is one step more from what is done with them.
        steps = {
            n: -1 if any(key.startswith(p) for p in u.prefixes) else 0
            for n, u in enumerate(self._units)
            if u.holds(key)
        }
        waiting = deque(steps)
        known = bool(steps)
        while waiting:
            number = waiting.popleft()
            unit = self._units[number]
            users = self._users(number)
            known = known and not unit.elsewhere and bool(users or unit.schedules)
            for user in users:
                if user not in steps:
                    steps[user] = steps[number] + 1
                    waiting.append(user)
        near = {s for n, far in steps.items() if known or far <= _NEAR for s in self._units[n].schedules}
        return near if known else near | {UNSCHEDULED}

    def _users(self, number: int) -> list[int]:
        """The files that mention what a file declares."""
        found = {n for name in self._units[number].names for n in self._mentions.get(name, ())}
        return sorted(found - {number})

    @cached_property
    def _mentions(self) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for number, unit in enumerate(self._units):
            for word in unit.words:
                out.setdefault(word, []).append(number)
        return out

    @cached_property
    def _units(self) -> list[_Unit]:
        """The files of the program; none where no clock starts any."""
        of = {module_of(s.evidence.source) for s in self._program.settings}
        modules = sorted(m for m in of if m is not None)
        texts = [text for module in modules for text in self._sources.of(module, _SOURCE)]
        if not any("Scheduled" in text for text in texts):
            return []
        declared = {name for text in texts for name in _DECLARED.findall(_STRING.sub("", text))}
        constants = {n: v.strip() for text in texts for n, v in _CONSTANT.findall(text)}
        others = [text for module in modules for text in self._sources.of(module, _OTHERS)]
        return [*(self._unit(t, declared, constants) for t in texts), *map(_unknown, others)]

    def _unit(self, text: str, declared: set[str], constants: dict[str, str]) -> _Unit:
        code = _UNUSED.sub(" ", text)
        own, above = _declared(code)
        beans = {name for name, _ in _BEAN.findall(code)}
        schedules = frozenset(self._schedules(code, constants))
        return _Unit(
            names=frozenset(own | (above & declared) | (beans & declared)),
            words=frozenset(re.findall(r"\b[A-Z]\w*", code)),
            keys=frozenset(_flat(a or b) for a, b in _KEY.findall(code)),
            prefixes=tuple(map(_flat, _PREFIX.findall(code))),
            schedules=schedules,
            elsewhere=bool(_ELSEWHERE.search(code) or beans - declared or (schedules and above - declared)),
        )

    def _schedules(self, code: str, constants: dict[str, str]) -> Iterator[str]:
        for found in re.finditer(r"@(?:\w+\.)*Scheduled\s*\(", code):
            arguments = dict(_arguments(code, found.end()))
            told = {name: self._value(text, constants) for name, text in arguments.items()}
            unit = _UNITS.get(arguments.get("timeUnit", "").rpartition(".")[2], 1e-3)
            if cron := told.get("cron"):
                if cron != "-":
                    yield cron
                continue
            pauses = (
                told.get(f"{kind}{form}") for kind in ("fixedRate", "fixedDelay") for form in ("", "String")
            )
            pause = next((p for p in pauses if p), None)
            yield (pause if pause and "{" in pause else every(seconds_of(pause or "", unit=unit)))

    def _value(self, text: str, constants: dict[str, str], depth: int = 0) -> str:
        """A literal, a product of numbers, or a constant of the program; with the program's settings filled in."""
        text = text.strip()
        if re.fullmatch(r"[\d_\s*Ll]*\d[\d_\s*Ll]*", text):
            return str(math.prod(int(re.sub(r"[_\sLl]", "", n) or 0) for n in text.split("*")))
        if parts := re.fullmatch(r'"(?:\\.|[^"\\])*"(?:\s*\+\s*"(?:\\.|[^"\\])*")*', text):
            said = "".join(re.findall(r'"((?:\\.|[^"\\])*)"', parts[0])).replace("\\$", "$")
            return self._program.filled(Setting("", said, Evidence("")))
        held = constants.get(text.rpartition(".")[2])
        return self._value(held, constants, depth + 1) if held is not None and depth < 5 else text


def _code(file: SourceFile) -> str | None:
    """A source file without its comments; None where it cannot be read."""
    if file.size > MAX_SOURCE:
        return None
    try:
        text = file.text
    except (Malformed, OSError):
        return None  # told where somebody reads it
    file.forget()
    return _ASIDE.sub(lambda m: m[1] or " ", text)


def _declared(code: str) -> tuple[set[str], set[str]]:
    """The types that a file declares, and those that they extend or implement."""
    code = _STRING.sub("", code)
    found = list(_DECLARED.finditer(code))
    above: set[str] = set()
    ends = [*(m.start() for m in found), len(code)][1:]
    for declared, behind in zip(found, ends, strict=True):
        head = code[declared.end() : behind].partition("{")[0].partition(";")[0]
        while (shorter := re.sub(r"\([^()]*\)|<[^<>]*>", "", head)) != head:
            head = shorter
        begins = re.search(r"\b(?:extends|implements)\b|:", head.partition("\n\n")[0])
        above |= set(re.findall(r"\b[A-Z]\w*", head[begins.end() :])) if begins else set()
    return {m[1] for m in found}, above


def _arguments(code: str, at: int) -> Iterator[tuple[str, str]]:
    """The members of an annotation from behind its opening bracket on."""
    depth, begun, end = 1, at, at
    while end < len(code) and depth:
        char = code[end]
        if char == '"':
            closing = re.compile(r'"(?:\\.|[^"\\\n])*"').match(code, end)
            end = closing.end() if closing else end + 1
            continue
        depth += {"(": 1, ")": -1}.get(char, 0)
        if (char == "," and depth == 1) or not depth:
            name, _, value = code[begun:end].partition("=")
            yield name.strip(), value
            begun = end + 1
        end += 1


def _flat(key: str) -> str:
    return re.sub(r"[^a-z0-9]", "", key.lower())
