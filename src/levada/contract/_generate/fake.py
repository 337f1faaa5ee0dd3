"""A fake of a contract, and the tests that it keeps it, as source."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from levada.contract._generate.layout import laid_out
from levada.contract._generate.model import Method, Module, snake_name
from levada.contract._generate.samples import NoSample, Samples
from levada.contract._generate.write import heading

__all__ = ["FakeClass", "fake_of", "scenario"]

TESTED = 12
"""Operations with a test of their own; more would be read by nobody."""


@dataclass
class FakeClass:
    """A fake's source, and how its operations are called and what they answer."""

    source: str
    calls: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    """Operation -> the arguments of a call, and the answer in terms of ``fake``."""
    left_out: list[str] = field(default_factory=list[str])

    def tests(self, contract: str) -> list[str]:
        """A test for each of the first operations: a call gets what the fake holds."""
        return [
            scenario(
                f"test_{name.strip('_')}_is_answered",
                f"Fake{contract}()",
                [
                    f"found = await net[{contract}].{name}({arguments})",
                    f"assert found == {answer}" if answer != "None" else "assert found is None",
                ],
            )
            for name, (arguments, answer) in list(self.calls.items())[:TESTED]
        ]


def scenario(name: str, part: str, lines: list[str], *, before: str = "", resources: str = "") -> str:
    """A test of a network that consists of one part."""
    given = "" if not resources else f", resources={resources}"
    made = [f"def {name}() -> None:", "    async def scenario() -> None:"]
    if before:
        made.append(laid_out(before, " " * 8))
    if not resources:
        made.append(f"        fake = {part}")
        part = "fake"
    made.append(f"        async with testing.network({part}{given}) as net:")
    made += [laid_out(part, " " * 12) for line in lines for part in line.split("\n")]
    return "\n".join([*made, "", "    asyncio.run(scenario())"])


def fake_of(module: Module, *, full: bool = False) -> FakeClass:
    """The fake: it answers with what its attributes hold.

    Args:
        module: The contract.
        full: Whether members that may be left out are filled, too.
    """
    samples = Samples(module, full=full)
    made = FakeClass("")
    attributes: dict[str, str] = {}
    methods: list[str] = []
    for method in module.methods:
        if method.stream:
            made.left_out.append(f"{method.name}: a stream")
            continue
        try:
            answer = _answer(method, samples, attributes, module)
            arguments = _arguments(method, samples)
        except NoSample as reason:
            made.left_out.append(f"{method.name}: {reason}")
            continue
        made.calls[method.name] = (arguments, answer.replace("self.", "fake."))
        body = laid_out(f"return {answer}", " " * 8) if answer != "None" else "        return None"
        methods.append(f"{heading(method)}\n{body}")
    doc = (
        '    """Answers with what its attributes hold: a test changes them, or writes the operation anew."""'
    )
    head = f"class Fake{module.name}(testing.Fake, {module.name}):\n{doc}"
    start = [
        "    def __init__(self) -> None:",
        *(laid_out(f"self.{n} = {v}", " " * 8) for n, v in attributes.items()),
    ]
    parts = [head, *(["\n".join(start)] if attributes else []), *methods]
    made.source = "\n\n".join(parts)
    return made


def _arguments(method: Method, samples: Samples) -> str:
    needed = [a for a in method.arguments if a.default is None]
    return ", ".join(f"{a.name}={samples.of(a.type, a.name)}" for a in needed)


def _answer(method: Method, samples: Samples, attributes: dict[str, str], module: Module) -> str:
    """The answer's source; a struct in it becomes an attribute of the fake."""
    names = {s.name for s in module.structs}
    for struct in re.findall(r"[A-Za-z_]\w*", method.result):
        if struct in names:
            value = samples.of(struct, struct)
            attribute = _attribute(struct, attributes, value, module)
            return samples.of(method.result, method.name).replace(value, f"self.{attribute}", 1)
    return samples.of(method.result, method.name) if method.result != "None" else "None"


def _attribute(struct: str, attributes: dict[str, str], value: str, module: Module) -> str:
    name = snake_name(struct).rstrip("_")
    while attributes.get(name, value) != value or any(m.name == name for m in module.methods):
        name += "_"
    attributes[name] = value
    return name
