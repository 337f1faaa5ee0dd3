"""The package of a SOAP service: contract, adapter, fake and test."""

from __future__ import annotations

import keyword
import re

from levada.connect.adopt._fetch import Place
from levada.connect.adopt._package import Adopted, Package, package_name, toml
from levada.connect.adopt._shapes import Listed, Member, Plain, Record, Shape, read, write
from levada.connect.adopt._wishes import Wishes
from levada.connect.adopt._wsdl import SoapCall, SoapService, read_wsdl
from levada.contract._generate.fake import TESTED, fake_of, scenario
from levada.contract._generate.layout import laid_out
from levada.contract._generate.model import snake_name
from levada.contract._generate.samples import NoSample, Samples, plain
from levada.contract._generate.text import quoted
from levada.contract._generate.write import heading, marker

__all__ = ["adopt_wsdl"]

_EFFECT = "effect: how is a repeat recognised? Until this is said, a run stops where an answer was lost"
_REASON = "undecided: nothing says how the service recognises a repeat"

_SOME = '''def _some(value: T | None, make: Callable[[T], R]) -> R | None:
    """What is made of a value, where there is one."""
    return None if value is None else make(value)'''

_ITEMS = '''def _items(found: Any, name: str) -> Sequence[Any]:
    """The elements of a list; an empty list comes as nothing."""
    return (found or {}).get(name) or ()'''

_SERVICE = '''class Service:
    """Stands in for the service: answers as it would, and keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def call(self, operation: str, /, **arguments: Any) -> Any:
        self.asked.append((operation, arguments))
        return self.answer'''


def adopt_wsdl(place: Place, wishes: Wishes) -> Adopted:
    """Contract, adapter, fake and test of the service that a WSDL describes."""
    found = read_wsdl(place, name=wishes.name, domain=wishes.domain, service=wishes.service)
    return _Writer(found, place, wishes).adopted()


class _Writer:
    def __init__(self, found: SoapService, place: Place, wishes: Wishes) -> None:
        self.found = found
        self.place = place
        self.module = found.module
        self.resource = wishes.resource or snake_name(found.module.name)
        self.variable = f"{self.resource.upper()}_WSDL"
        fake = fake_of(found.module, full=True)
        self.package = Package(
            found.module, package_name(wishes.package, found.module), place.shown, fake=fake
        )
        self.refused = found.module.problems[0].name

    def adopted(self) -> Adopted:
        """All files, and the lines for levada.toml."""
        name, package = self.module.name, self.package
        body = self._adapter()
        doc = f"Keeps {name}'s promise on its SOAP service. Nobody but this module sees the service's words."
        package.add(
            "adapter",
            doc,
            body,
            {
                "Soap": "levada.connect.soap",
                "RemoteFault": "levada.connect.errors",
                "Callable": "collections.abc",
            },
        )
        package.test(
            f"{name} by its fake, and what the adapter says to the service; no server is needed.",
            [_SERVICE, *self._tests(), self._real()],
            {f"Soap{name}": f"{package.package}.adapter", "Soap": "levada.connect.soap"},
        )
        lines = [f"[resources.{self.resource}]", 'kind = "soap"', f'url = "env:{self.variable}"']
        lines += [f"service = {toml(self.found.service)}"] if self.found.service else []
        lines += [f"port = {toml(self.found.port)}"] if self.found.port else []
        return package.adopted("\n".join(lines), {self.variable: self.place.shown})

    def _adapter(self) -> str:
        name = self.module.name
        calls = "\n\n".join(self._method(c) for c in self.found.calls)
        body = f"""class Soap{name}({name}, protect=Protect(concurrency=8)):
    \"\"\"Keeps the contract on the SOAP service; what a fault says becomes {self.refused}.\"\"\"

    soap: Soap = resource({quoted(self.resource)})

{calls}

    async def _call(self, operation: str, /, **arguments: Any) -> Any:
        try:
            return await self.soap.call(operation, **arguments)
        except RemoteFault as fault:
            raise {self.refused}(fault=fault.fault, reason=fault.reason) from None"""
        mappers = self._mappers(body)
        whole = "\n\n\n".join([body, *mappers])
        helpers = [h for word, h in (("_some(", _SOME), ("_items(", _ITEMS)) if word in whole]
        letters = 'T = TypeVar("T")\nR = TypeVar("R")\n\n\n' if _SOME in helpers else ""
        return letters + "\n\n\n".join([whole, *helpers])

    def _method(self, call: SoapCall) -> str:
        lines = [heading(call.method)]
        if call.method.verb != "get":
            lines.insert(0, laid_out(f"@effect.at_least_once({quoted(_REASON)})", "    "))
            lines.insert(0, marker(_EFFECT))
        asked = f"await self._call({', '.join(_given(call))})"
        if call.result is None:
            lines.append(laid_out(asked, " " * 8))
            return "\n".join(lines)
        answer = "answer" if all(a.name != "answer" for a in call.arguments) else "answer_"
        value = read(answer, call.result, optional=call.optional)
        lines.append(laid_out(f"{answer} = {asked}", " " * 8))
        lines.append(laid_out(f"return {value}", " " * 8))
        return "\n".join(lines)

    def _mappers(self, body: str) -> list[str]:
        """Functions between structs and messages, those that are used."""
        found: dict[str, str] = {}
        text = body
        while True:
            more = {
                name: source
                for record in self.found.types.records
                for name, source in ((record.reader, _reader(record)), (record.writer, _writer(record)))
                if name not in found and re.search(rf"\b{name}\b", text)
            }
            if not more:
                return list(found.values())
            found |= more
            text = "\n".join([body, *found.values()])

    def _tests(self) -> list[str]:
        """A test for each of the first calls, and before them the messages that they have in common."""
        found: list[str] = []
        messages: dict[str, str] = {}
        full = Samples(self.module, full=True)
        for call in self.found.calls[:TESTED]:
            if call.method.name in self.package.fake.calls:
                try:
                    found.append(self._asked(call, full, messages))
                except NoSample:
                    continue
        constants = "\n".join(
            laid_out(f"{name}: dict[str, Any] = {value}") for name, value in messages.items()
        )
        return [*([constants] if constants else []), *found]

    def _asked(self, call: SoapCall, full: Samples, messages: dict[str, str]) -> str:
        method, fake = call.method, self.package.fake
        given = ", ".join(f"{a.name}={full.of(a.type, a.name)}" for a in method.arguments)
        asked = ", ".join(f"{quoted(a.wire)}: {_wire(a.shape, a.name, messages)}" for a in call.arguments)
        called = f"net[{self.module.name}].{method.name}({given})"
        if call.result is None:
            answer, checks = "None", [f"await {called}"]
        else:
            answer = _wire(call.result, method.name, messages)
            expected = fake.calls[method.name][1].replace("fake.", f"Fake{self.module.name}().")
            checks = [f"found = await {called}", f"assert found == {expected}"]
        return scenario(
            f"test_{method.name.strip('_')}_is_asked_of_the_service",
            f"Soap{self.module.name}",
            [
                *checks,
                f"asked: dict[str, Any] = {{{asked}}}",
                f"assert service.asked == [({quoted(call.operation)}, asked)]",
            ],
            before=f"service = Service({answer})",
            resources=f"{{{quoted(self.resource)}: service}}",
        )

    def _real(self) -> str:
        return f"""@pytest.mark.skipif("{self.variable}" not in os.environ, reason="{self.variable} names no service")
def test_the_real_service_is_there() -> None:
    async def scenario() -> None:
        async with Soap("env:{self.variable}") as soap:
            health = await soap.health()
            assert health.ok, health.detail

    asyncio.run(scenario())"""


def _given(call: SoapCall) -> list[str]:
    plainly: list[str] = [quoted(call.operation)]
    others: list[str] = []
    for a in call.arguments:
        value = write(a.name, a.shape, optional=a.optional)
        if a.wire.isidentifier() and not keyword.iskeyword(a.wire):
            plainly.append(f"{a.wire}={value}")
        else:
            others.append(f"{quoted(a.wire)}: {value}")
    return [*plainly, *([f"**{{{', '.join(others)}}}"] if others else [])]


def _reader(record: Record) -> str:
    given = ", ".join(f"{m.name}={_read_member(m)}" for m in record.members)
    line = laid_out(f"return {record.name}({given})", "    ")
    return f"def {record.reader}(found: Any) -> {record.name}:\n{line}"


def _read_member(member: Member) -> str:
    key = quoted(member.wire)
    source = f"found.get({key})" if member.optional else f"found[{key}]"
    return read(source, member.shape, optional=member.optional)


def _writer(record: Record) -> str:
    pairs = ", ".join(
        f"{quoted(m.wire)}: {write(f'given.{m.name}', m.shape, optional=m.optional)}" for m in record.members
    )
    line = laid_out(f"return {{{pairs}}}", "    ")
    return f"def {record.writer}(given: {record.name}) -> dict[str, Any]:\n{line}"


def _wire(shape: Shape, name: str, messages: dict[str, str], within: tuple[str, ...] = ()) -> str:
    """What stands in a message for the contract's sample value; records become constants of ``messages``."""
    match shape:
        case Plain(type=type_):
            return plain(type_, name)
        case Listed(item=item, wrapper=wrapper):
            inside = f"[{_wire(item, name, messages, within)}]"
            return f"{{{quoted(wrapper)}: {inside}}}" if wrapper else inside
        case Record(name=record, members=members):
            if record in within:
                raise NoSample(f"{record} holds itself")
            constant = snake_name(record).upper()
            if constant not in messages:
                inner = (*within, record)
                pairs = (f"{quoted(m.wire)}: {_wire(m.shape, m.name, messages, inner)}" for m in members)
                messages[constant] = f"{{{', '.join(pairs)}}}"
            return constant
