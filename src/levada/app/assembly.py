"""Assembly: classes, bindings and resources become one network, or an error that says why not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from levada.app.binding import Bind, Remote, to_binding
from levada.app.errors import AssemblyError
from levada.contract.api import API, Contract, contract_of
from levada.contract.implementation import Dependency, Implementation, implementation_of

__all__ = ["Plan", "assemble"]


@dataclass(frozen=True)
class Local:
    """An implementation in this process: its instance, and what is known of its class."""

    implementation: Implementation
    instance: API

    @property
    def contract(self) -> Contract:
        """The contract that it keeps."""
        return self.implementation.contract


@dataclass(frozen=True)
class Away:
    """A contract kept elsewhere."""

    contract: Contract
    remote: Remote


@dataclass(frozen=True)
class Plan:
    """An assembled network: what is served here, and what stands behind each dependency."""

    locals: tuple[Local, ...]
    served: Mapping[str, Local]
    """By contract id."""
    bound: Mapping[tuple[str, str], Local | Away]
    """(contract id of the consumer, attribute) -> what stands behind it."""
    aways: Mapping[str, Away] = field(default_factory=dict)


def assemble(parts: Sequence[type[API] | API], bind: Mapping[Any, Bind]) -> Plan:
    """Check and bind.

    Args:
        parts: Implementations, as classes or instances.
        bind: Contract or its id (``sales/Customers/v2``, ``…@eu``) -> binding.

    Raises:
        AssemblyError: A dependency without a binding or with two, a cycle, an unsafe
            operation without an effect, a step that cannot be undone; names place,
            reason and mend.
    """
    bindings = {_binding_id(k): to_binding(v, f"[bind] {_binding_id(k)}") for k, v in bind.items()}
    found = [_local(p) for p in _unique([*parts, *_classes(bindings, parts)])]
    by_contract: dict[str, list[Local]] = {}
    for local in found:
        by_contract.setdefault(local.contract.id, []).append(local)
    aways: dict[str, Away] = {}
    bound: dict[tuple[str, str], Local | Away] = {}
    for local in found:
        for dependency in local.implementation.dependencies.values():
            behind = _behind(local, dependency, bindings, by_contract)
            if isinstance(behind, Away):
                aways[dependency.id] = behind
            else:
                _check_same(local, dependency, behind)
            bound[local.contract.id, dependency.attribute] = behind
    served = {cid: _served(cid, locals_, bindings) for cid, locals_ in by_contract.items()}
    _check_unused(bindings, served, aways)
    _check_cycles(found, bound)
    for local in found:
        _check_effects(local)
        _check_steps(local)
    return Plan(tuple(found), served, bound, aways)


def _binding_id(key: Any) -> str:
    return contract_of(key).id if isinstance(key, type) else str(key)


def _classes(bindings: Mapping[str, Any], parts: Sequence[Any]) -> list[type[API] | API]:
    stated = {p if isinstance(p, type) else type(p) for p in parts}
    return [
        b
        for b in bindings.values()
        if not isinstance(b, Remote) and (b if isinstance(b, type) else type(b)) not in stated
    ]


def _unique(parts: Iterable[Any]) -> list[Any]:
    seen: list[Any] = []
    for part in parts:
        if not any(part is s for s in seen):
            seen.append(part)
    return seen


def _local(part: type[API] | API) -> Local:
    implementation = implementation_of(part if isinstance(part, type) else type(part))
    if not isinstance(part, type):
        return Local(implementation, part)
    try:
        return Local(implementation, part())
    except TypeError as error:
        raise AssemblyError(
            place=implementation.place,
            reason=f"it cannot be made without arguments: {error}",
            mend="Take what it needs as attributes, or hand an instance to App",
        ) from error


def _behind(
    consumer: Local,
    dependency: Dependency,
    bindings: Mapping[str, Any],
    by_contract: Mapping[str, list[Local]],
) -> Local | Away:
    place = f"{consumer.implementation.place}, attribute {dependency.attribute}"
    stated = bindings.get(dependency.id)
    if isinstance(stated, Remote):
        _check_foreign(dependency, stated)
        return Away(dependency.contract, stated)
    candidates = by_contract.get(dependency.contract.id, [])
    if stated is not None:
        return next(c for c in candidates if stated is c.instance or stated is type(c.instance))
    if not candidates:
        name = dependency.contract.id.rpartition("/v")[0]
        others = sorted(i for i in by_contract if i.rpartition("/v")[0] == name)
        stated_too = sorted(i for i in bindings if i.rpartition("/v")[0] == name)
        hint = f" Here is {', '.join(others)}, another major." if others else ""
        hint += f" [bind] has {', '.join(stated_too)}, another major." if stated_too else ""
        raise AssemblyError(
            place=place,
            reason=f"nothing is bound to {dependency.id}.{hint}",
            mend=f'Add a class that keeps {dependency.contract.cls.__name__} to the app, or state [bind] "{dependency.id}" = {{ url = "https://…" }}',
        )
    if len(candidates) > 1:
        names = " and ".join(sorted(type(c.instance).__name__ for c in candidates))
        raise AssemblyError(
            place=place,
            reason=f"{names} both keep {dependency.id}",
            mend=f'State which: [bind] "{dependency.id}" = "module:Class"',
        )
    return candidates[0]


def _check_foreign(dependency: Dependency, stated: Remote) -> None:
    """A path of its own says that it is no service of Levada's: then nobody knows what a repeated key does there."""
    changes = sorted(o.name for o in dependency.contract.operations.values() if not o.safe)
    if stated.path is not None and stated.effect is None and changes:
        raise AssemblyError(
            place=f'[bind] "{dependency.id}"',
            reason=f"it changes a service that is not written with Levada ({', '.join(changes[:3])}), and nothing tells a repeat of the call from a second call",
            mend='Add effect = "passes_key" if the service honours Idempotency-Key, or effect = "at_least_once": a run then stops where an outcome is not known',
        )


def _served(contract_id: str, candidates: Sequence[Local], bindings: Mapping[str, Any]) -> Local:
    if len(candidates) == 1:
        return candidates[0]
    stated = bindings.get(contract_id)
    for candidate in candidates:
        if stated is candidate.instance or stated is type(candidate.instance):
            return candidate
    names = " and ".join(sorted(type(c.instance).__name__ for c in candidates))
    raise AssemblyError(
        place=f"app, {contract_id}",
        reason=f"{names} both keep it",
        mend=f'State which one is served: [bind] "{contract_id}" = "module:Class"',
    )


def _check_same(consumer: Local, dependency: Dependency, behind: Local) -> None:
    """A class made elsewhere is the same contract if the operations used have the same digests."""
    ours, theirs = dependency.contract, behind.contract
    if ours is theirs:
        return
    used = {
        op for attribute, op in consumer.implementation.called if attribute == dependency.attribute
    } or set(ours.operations)
    for name in sorted(used):
        other = theirs.operations.get(name)
        if other is None or other.digest() != ours.operations[name].digest():
            raise AssemblyError(
                place=f"{consumer.implementation.place}, attribute {dependency.attribute}",
                reason=f"{ours.operation_id(name)} is not what {behind.implementation.place} promises under this name",
                mend="Generate the contract anew from the provider's OpenAPI document, or bind a provider of the same version",
            )


def _check_unused(
    bindings: Mapping[str, Any], served: Mapping[str, Local], aways: Mapping[str, Away]
) -> None:
    for key, value in bindings.items():
        used = key in aways if isinstance(value, Remote) else key.partition("@")[0] in served
        if not used:
            near = ", ".join(sorted({*served, *aways})) or "none"
            raise AssemblyError(
                place=f"[bind] {key}",
                reason="nothing in this app depends on it",
                mend=f"Check the spelling (domain/Name/vMajor), or take it away. Known here: {near}",
            )


def _check_cycles(found: Sequence[Local], bound: Mapping[tuple[str, str], Local | Away]) -> None:
    edges: dict[str, set[str]] = {}
    for (consumer, _), behind in bound.items():
        edges.setdefault(consumer, set()).add(behind.contract.id)
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> None:
        if node in path:
            cycle = [*path[path.index(node) :], node]
            place = next(s.implementation.place for s in found if s.contract.id == node)
            raise AssemblyError(
                place=place,
                reason=f"APIs depend on each other in a circle: {' -> '.join(cycle)}",
                mend="Let one publish an event that the other handles",
            )
        if node in done:
            return
        for each in sorted(edges.get(node, ())):
            visit(each, [*path, node])
        done.add(node)

    for local in found:
        visit(local.contract.id, [])


def _check_effects(local: Local) -> None:
    implementation = local.implementation
    if implementation.contract.layer != "system" or getattr(local.instance, "__levada_fake__", False):
        return
    for name, operation in implementation.contract.operations.items():
        if not operation.safe and name not in implementation.effects:
            raise AssemblyError(
                place=f"{implementation.place}, {name}",
                reason="it changes the system, and nothing tells a repeat of the call from a second call",
                mend="Mark it @effect.table, @effect.passes_key, @effect.lookup(find) or @effect.at_least_once(reason)",
            )


def _check_steps(local: Local) -> None:
    implementation = local.implementation
    for attribute, name in sorted(implementation.steps):
        contract = implementation.dependencies[attribute].contract
        operation = contract.operations[name]
        if (
            operation.safe
            or operation.final
            or operation.undo
            or (contract.id, name) in implementation.undone
        ):
            continue
        raise AssemblyError(
            place=f"{implementation.place}, self.{attribute}.{name}",
            reason=f"a run calls {contract.operation_id(name)}, and nothing says how to undo it",
            mend=f"Write a method marked @undoes({name}) in {contract.cls.__name__}, or declare the operation final=True",
        )
