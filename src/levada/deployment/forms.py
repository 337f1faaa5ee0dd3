"""The forms that the store's rows were written in, and whether this code can still read them (durability, rule 1).

Each event and each operation that a run calls has its present form kept in the store. A
later deployment is compared with every form that something here may still be read in:
events of the log and put aside, arrivals, inputs and journals of open runs. Old and new code run
side by side while a deployment is replaced, so both directions count.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from levada._errors import LevadaError
from levada.app import App
from levada.contract.compatibility import (
    Finding,
    PublishedContract,
    PublishedEvent,
    breaks,
    digest,
    publish_contract,
    publish_event,
)
from levada.contract.compatibility.rules import compare_events, compare_stored_operations, compare_wires
from levada.contract.compatibility.sample import NONE, sample
from levada.contract.event import EventType, event_type
from levada.contract.upcast import decode_stored, upcasters_of
from levada.store.protocol import Statement, Store, Unit

__all__ = ["FormCheck", "FormsUnreadable", "KeptForm", "check_forms", "keep_forms", "kept_forms"]

_OVERLAP = 86_400_000_000
"""Microseconds that old code may still write after its successor first started: a day."""


class FormsUnreadable(LevadaError, code="LV1515"):
    """What the store holds cannot be read by this code any more, or what this code writes not by the code it replaces: {findings}
    Nothing was started. Make the edit, register an upcaster, or let the runs end first; `levada runs check` lists all.
    """


class KeptForm(Struct, frozen=True):
    """A form that the store keeps, as JSON in ``body``; ``needed``: by whom, in words, or by nobody."""

    name: str
    kind: str
    digest: str
    body: str
    current: bool
    needed: str


class FormCheck(Struct, frozen=True):
    """A form that is still needed, by whom, and what of it cannot be read."""

    name: str
    version: str
    needed: str
    findings: list[Finding]


class _Event(Struct, frozen=True):
    kind: EventType
    form: PublishedEvent


class _Operation(Struct, frozen=True):
    """An operation as a contract of its own, so that its types are kept with it."""

    name: str
    form: PublishedContract


async def kept_forms(store: Store) -> list[KeptForm]:
    """Every form that the store keeps, oldest first, and whether something here may still be read in it."""
    now = await store.now()
    found: list[KeptForm] = []
    for row in await store.read("form.kept"):
        until = (now if row["until"] is None else row["until"]) + _OVERLAP
        needed = await _needed(store, row["kind"], row["name"], until)
        body = bytes(row["body"]).decode()
        found.append(KeptForm(row["name"], row["kind"], row["digest"], body, row["until"] is None, needed))
    return found


def check_forms(app: App, kept: Sequence[KeptForm]) -> list[FormCheck]:
    """Every form that is still needed and is not the present one, compared with the present one."""
    present = _present(app)
    return [
        _compared(mine, form)
        for form in kept
        if form.needed and (mine := present.get(form.name)) and digest(mine.form) != form.digest
    ]


async def keep_forms(app: App, store: Store) -> None:
    """Keep the present forms.

    Raises:
        FormsUnreadable: Something that is still needed could not be read.
    """
    kept = await kept_forms(store)
    broken = [f for check in check_forms(app, kept) for f in breaks(check.findings)]
    if broken:
        raise FormsUnreadable(findings=" ".join(map(str, broken[:3])))
    present = _present(app)
    marks = {name: digest(mine.form) for name, mine in present.items()}
    statements = [
        Statement("form.replaced", {"name": form.name, "digest": form.digest})
        for form in kept
        if form.current and marks.get(form.name, form.digest) != form.digest
    ]
    there = {(form.name, form.digest) for form in kept if form.current}
    for name, mine in present.items():
        if (name, marks[name]) not in there:
            kind = "event" if isinstance(mine, _Event) else "operation"
            values = {
                "name": name,
                "digest": marks[name],
                "kind": kind,
                "body": msgspec.json.encode(mine.form),
            }
            statements.append(Statement("form.current", values))
    if statements:
        await store.commit(Unit(statements))


def _present(app: App) -> dict[str, _Event | _Operation]:
    return {**dict(_events(app)), **dict(_operations(app))}


def _events(app: App) -> Iterator[tuple[str, _Event]]:
    """Events that this app publishes, handles or awaits, by topic."""
    for local in app.plan.locals:
        implementation = local.implementation
        kinds = [*implementation.publishes.values(), *implementation.awaits.values()]
        kinds += [event_type(h.spec.event) for h in implementation.handlers.values()]
        for kind in kinds:
            yield kind.topic, _Event(kind, publish_event(kind))


def _operations(app: App) -> Iterator[tuple[str, _Operation]]:
    """Operations that runs of this app may call, and those that are runs, by the name of their steps."""
    for local in app.plan.locals:
        implementation = local.implementation
        durable = [n for n, o in local.contract.operations.items() if o.durable]
        if not implementation.handlers and not durable:
            continue
        for dependency in implementation.dependencies.values():
            whole = publish_contract(dependency.contract)
            for name, operation in dependency.contract.operations.items():
                if operation.shape != "stream":
                    step = f"{dependency.id}.{name}"
                    yield step, _Operation(step, _alone(whole, name))
        own = publish_contract(local.contract)
        for name in durable:
            step = local.contract.operation_id(name)
            yield step, _Operation(step, _alone(own, name))


def _alone(contract: PublishedContract, name: str) -> PublishedContract:
    """One operation of a contract, with the types that it reaches alone."""
    operation = contract.operations[name]
    reached: dict[str, Any] = {}
    pending = msgspec.json.encode(operation).decode()
    while True:
        more = {n: t for n, t in contract.types.items() if n not in reached and _refers(pending, n)}
        if not more:
            break
        reached |= more
        pending = msgspec.json.encode(more).decode()
    return PublishedContract(contract.version, contract.layer, {name: operation}, reached)


def _refers(text: str, name: str) -> bool:
    return f'{{"is":"ref","name":{msgspec.json.encode(name).decode()}}}' in text


async def _needed(store: Store, kind: str, name: str, until: int) -> str:
    """By whom a form is still needed, in words; empty: by nobody."""
    if kind == "event":
        params = {"topic": name, "type": name.rpartition(".v")[0], "until": until}
        row = (await store.read("form.event_needed", params))[0]
        said = {
            "events": "events of the log",
            "runs": f"{row['runs']} open runs",
            "arrivals": "events that were awaited",
        }
        return ", ".join(words for counted, words in said.items() if row[counted])
    given = {"operation": name, "code": _code_of(name), "until": until}
    runs = (await store.read("form.operation_needed", given))[0]["runs"]
    return f"{runs} open runs" if runs else ""


def _code_of(step: str) -> str:
    """The code that a durable operation's runs carry: ``sales/Orders/v1.place`` -> ``sales/Orders.v1/place/1``."""
    contract, _, operation = step.rpartition(".")
    domain, name, major = contract.partition("@")[0].split("/")
    return f"{domain}/{name}.{major}/{operation}/1"


def _compared(mine: _Event | _Operation, form: KeptForm) -> FormCheck:
    if isinstance(mine, _Event):
        old = msgspec.json.decode(form.body, type=PublishedEvent)
        if upcasters_of(mine.kind.cls):
            found = _upcast(mine.kind.cls, old, mine.form, form.name)
        else:
            found = compare_events(old, mine.form, form.name)
        return FormCheck(form.name, old.version, form.needed, found)
    was = msgspec.json.decode(form.body, type=PublishedContract)
    found = compare_stored_operations(was, mine.form, form.name)
    return FormCheck(form.name, was.version, form.needed, found)


def _upcast(cls: type, old: PublishedEvent, new: PublishedEvent, name: str) -> list[Finding]:
    """The upcasters of a type, tried on an example of an older form and on each of what else it may write."""
    told = compare_wires(old.data, old.types, new.data, new.types, name, "old")
    examples = [sample(old.data, old.types)]
    examples += [msgspec.json.decode(f.example) for f in told if f.example is not None]
    found: list[Finding] = []
    for example in examples:
        if example is NONE:
            continue
        text = msgspec.json.encode(example)
        try:
            decode_stored(cls, text)
        except msgspec.ValidationError as error:
            reason = f"its upcasters do not bring version {old.version} into the present form: {error}."
            found.append(Finding("breaks", name, reason, "Mend the upcaster.", text.decode()))
    return found
