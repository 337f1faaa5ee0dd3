"""The admin API: every change by a person goes through it, and leaves a row in the audit.

One table of actions serves the command line and HTTP (on the admin socket alone):
``await admin.do("runs.resume", {"run": "…", "why": "…"}, who="anna")``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from levada._errors import LevadaError
from levada.app import App
from levada.deployment._handlers import codes_of
from levada.deployment.admin_answers import Answers
from levada.deployment.admin_errors import AdminError
from levada.deployment.admin_masks import Masks, published, readable
from levada.deployment.backup import backup
from levada.deployment.forms import kept_forms
from levada.deployment.personal import Personal
from levada.deployment.personal.subjects import Subjects, hidden
from levada.deployment.purge import RetentionSection, purge, purgeable
from levada.deployment.requests import Requests, domain_of, within
from levada.deployment.roles import Roles, SamePerson
from levada.events.admin import Admin as EventsAdmin
from levada.events.log import Log
from levada.process.admin import Admin as RunsAdmin
from levada.process.admin import Change
from levada.store.control import Audit, Calls
from levada.store.protocol import Statement, Store
from levada.store.trying import TryingStore

__all__ = ["Admin", "AdminError"]

Action: TypeAlias = Callable[..., Awaitable[Any]]


class Admin:
    """What operators see and do. May be called concurrently; changes are made one after another."""

    def __init__(
        self, store: Store, roles: Roles | None = None, kept: RetentionSection | None = None
    ) -> None:
        self.store = store
        self._kept = kept or RetentionSection()
        self.roles = roles or Roles({}, "development")
        self.log = Log(store)
        self.audit = Audit(store)
        self._decision: Sequence[Statement] = ()
        self._changing = asyncio.Lock()
        self.events = EventsAdmin(self.log)
        self.runs = RunsAdmin(store, self._audit_of_run)
        self._answers = Answers(self.runs)
        self._reads: dict[str, Action] = {
            "runs.list": self._runs_list,
            "runs.show": self._runs_show,
            "runs.counts": self.runs.counts,
            "runs.forms": lambda: kept_forms(store),
            "runs.unclaimed": self.runs.unclaimed,
            "events.topics": self._topics,
            "events.tail": self._tail,
            "events.subscriptions": self.events.status,
            "events.parked": self.events.parked,
            "events.explain": self.events.explain,
            "audit.list": self._audit_list,
            "calls.read": self._calls,
            "audit.verify": self.audit.verify,
        }
        self._others: dict[str, Action] = {}
        self._masks = Masks({})
        self._subjects: Subjects | None = None
        self._knows: tuple[App, Personal | None] | None = None
        self._extensions: list[Callable[[Admin, Store], None]] = []
        self._trial: Admin | None = None
        self._changes: dict[str, Action] = {
            "runs.resume": self.runs.resume,
            "runs.answer": self._answers.answer,
            "runs.skip": self.runs.skip,
            "runs.compensate": self.runs.compensate,
            "events.resume": self._events_resume,
            "events.skip": self._events_skip,
            "events.pause": self._events_pause,
            "events.continue": self._events_continue,
            "events.replay": self._events_replay,
            "subjects.forget": self._subjects_forget,
        }
        self.requests = Requests(store)
        self._reads["db.purgeable"] = self._purgeable
        self._reads["requests.list"] = self.requests.list
        self._others |= {
            "requests.refuse": self.requests.refuse,
            "db.backup": self._backup,
            "db.purge": self._purge,
        }
        self._others |= {"subjects.export": self._subjects_export, "subjects.rewrap": self._subjects_rewrap}

    def register(self, action: str, function: Action, *, change: bool) -> None:
        """Add an action of a part above: keys, the gateway. A change leaves its row before it is made."""
        (self._others if change else self._reads)[action] = function

    def extend(self, extension: Callable[[Admin, Store], None]) -> None:
        """Let a part above register its actions, on the store that it is given."""
        self._extensions.append(extension)
        extension(self, self.store)

    def know(self, app: App, personal: Personal | None = None) -> None:
        """Learn from an app which fields of its events are personal: these alone are masked from then on.

        With ``personal`` they can be opened, and subjects exported and forgotten.
        """
        self._masks = Masks.of(app)
        self._knows, self._trial = (app, personal), None
        codes = codes_of(app)
        if personal is not None and personal.vault is not None:
            self._subjects = Subjects(personal.vault, personal.kinds, codes, self.store)
        # What is only tried is not sealed: a key for it would be left over.
        self._answers.know(codes, None if isinstance(self.store, TryingStore) else self._subjects)

    @property
    def actions(self) -> Sequence[str]:
        """All actions by name."""
        return sorted({*self._reads, *self._changes, *self._others, "requests.approve"})

    def _trying(self) -> Admin:
        """The same on a store that takes back what it is told."""
        if self._trial is None:
            self._trial = Admin(TryingStore(self.store), self.roles, self._kept)
            if self._knows is not None:
                self._trial.know(*self._knows)
            for extension in self._extensions:
                self._trial.extend(extension)
        return self._trial

    async def do(self, action: str, arguments: dict[str, Any], *, who: str, dry_run: bool = False) -> Any:
        """Do an action; the result as plain data.

        What needs a second person is only asked for, and answered with ``{"asked": id}``.

        Args:
            action: Its name.
            arguments: What it takes.
            who: Who asks for it.
            dry_run: Only try whether it can be done, and leave no trace of it.

        Raises:
            AdminError: There is no such action, or its arguments do not fit.
            RoleMissing: Who asks may not do it.
            LevadaError: What the action itself refuses.
        """
        if dry_run:
            return await self._trying().do(action, arguments, who=who)
        if action == "requests.approve":
            return await self._called(action, self._approve, {**arguments, "who": who})
        asked = f"{action} --reveal" if arguments.get("reveal") else action
        limits = self.roles.check(who, asked, await domain_of(self.store, action, arguments))
        if self.roles.needs_second(action):
            return await self._ask(action, arguments, who)
        result = await self._do(action, arguments, who=who)
        if limits is None:
            return result
        if action == "requests.list":
            return [r for r in result if await domain_of(self.store, r["action"], r["arguments"]) in limits]
        return within(limits, action, result)

    async def _ask(self, action: str, arguments: dict[str, Any], who: str) -> Any:
        """Keep what somebody asked for until another approves it; what could not be done now is refused now."""
        if not str(arguments.get("why") or "").strip():
            raise AdminError(reason=f"{action} needs a reason.", mend="Say why; it goes into the audit.")
        # Who asks need not have the key of personal data; who approves does.
        tried = isinstance(self.store, TryingStore) or (
            action.startswith("subjects.") and self._subjects is None
        )
        if not tried:
            await self._trying()._do(action, arguments, who=who)
        return {"asked": await self.requests.ask(self.audit, action, arguments, who=who)}

    async def _approve(self, id: str, who: str, why: str = "") -> Any:
        """Do what another has asked for. If it cannot be done now, the request stays open."""
        request = await self.requests.open(id)
        domain = await domain_of(self.store, request.action, request.arguments)
        self.roles.check(who, "requests.approve", domain)
        self.roles.check(who, request.action, domain)
        if request.who == who:
            raise SamePerson(who=who)
        why = f"{request.why} (asked by {request.who}, request {id}{f': {why}' if why else ''})"
        async with self._changing:
            # In one unit: what was approved is done, and what is done was approved.
            self._decision = (self.requests.decided(id, "approved", who),)
            try:
                known = self._changes[request.action]
                return await self._change(request.action, known, {**request.arguments, "why": why}, who)
            finally:
                self._decision = ()

    async def _do(self, action: str, arguments: dict[str, Any], *, who: str) -> Any:
        known = self._reads.get(action) or self._changes.get(action) or self._others.get(action)
        if known is None:
            raise _no_action(action, self.actions)
        if action in self._reads:
            if arguments.get("reveal"):
                await self.audit.add(
                    who=who, action=f"{action} --reveal", target=_target(arguments), why=arguments.get("why")
                )
            result = await self._called(action, known, arguments)
            return msgspec.to_builtins(result)
        if action in self._others:
            return await self._other(action, known, arguments, who)
        async with self._changing:
            return await self._change(action, known, arguments, who)

    async def _other(self, action: str, known: Action, arguments: dict[str, Any], who: str) -> Any:
        """A change that commits elsewhere: its row comes first, and a second one if it failed."""
        why = arguments.get("why")
        after = {k: v for k, v in arguments.items() if k not in ("why", "id")}
        target = _target(arguments)
        await self.audit.add(who=who, action=action, target=target, why=why or None, after=after or None)
        try:
            return msgspec.to_builtins(await self._called(action, known, arguments))
        except LevadaError as error:
            failed = {"error": error.code}
            await self.audit.add(who=who, action=f"{action} failed", target=target, after=failed)
            raise

    async def _called(self, action: str, known: Action, arguments: dict[str, Any]) -> Any:
        try:
            pending = known(**arguments)
        except TypeError as error:
            raise AdminError(
                reason=f"{action} does not take that: {error}.", mend="See docs/reference/admin.md."
            ) from None
        return await pending

    async def _change(self, action: str, known: Action, arguments: dict[str, Any], who: str) -> Any:
        for last in (False, False, True):
            head = await self.store.read("audit.last")
            try:
                return msgspec.to_builtins(await self._with_audit(action, known, arguments, who))
            except LevadaError:
                # Another process may have written the audit's next row: then the unit was refused for that alone.
                if last or await self.store.read("audit.last") == head:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _with_audit(self, action: str, known: Action, arguments: dict[str, Any], who: str) -> Any:
        if action.startswith("runs."):
            self._who = who
            self._next = await self.audit.next(
                who=who, action=action, target=str(arguments.get("run")), why=arguments.get("why")
            )
            return await self._called(action, known, {**arguments, "who": who})
        target = _target(arguments)
        before = await self._before(action, arguments)
        after = {k: v for k, v in arguments.items() if k not in ("id", "name", "why")}
        row = await self.audit.next(
            who=who,
            action=action,
            target=target,
            why=arguments.get("why"),
            before=before,
            after=after or None,
        )
        return await self._called(action, known, {**arguments, "also": [*row.statements(), *self._decision]})

    def _audit_of_run(self, change: Change) -> Sequence[Statement]:
        return [*self._next.changed(before=change.before, after=change.after).statements(), *self._decision]

    # -- actions ----------------------------------------------------------------------

    async def _runs_list(self, state: str | None = None, limit: int = 100, key: str | None = None) -> Any:
        from levada.process.admin import State

        try:
            known = None if state is None else State(state)
        except ValueError:
            raise AdminError(
                reason=f"There is no state {state!r}.", mend=f"Runs are {', '.join(s.value for s in State)}."
            ) from None
        return await self.runs.list(known, limit, key=key)

    async def _topics(self) -> Any:
        return await self.log.topics()

    async def _tail(
        self,
        topic: str,
        n: int = 20,
        key: str | None = None,
        *,
        reveal: bool = False,
        why: str = "",  # noqa: ARG002 - the audit has it
    ) -> Any:
        await self.log.topics()
        last = self.events.tail(topic, n) if key is None else self.events.tail_of(topic, key, n)
        seen: list[dict[str, Any]] = [msgspec.to_builtins(e) for e in await last]
        return [await self._clear(e) for e in seen] if reveal else [self._masks.event(e) for e in seen]

    async def _clear(self, seen: dict[str, Any]) -> dict[str, Any]:
        """An event of the log with its personal fields in clear."""
        attributes, data = seen["attributes"], seen["data"]
        if self._subjects is None or attributes is None or data is None:
            return seen
        opened = await self._subjects.clear_event(str(attributes["type"]), msgspec.json.encode(data))
        return {**seen, "data": opened}

    async def _runs_show(self, run: str, *, reveal: bool = False, why: str = "") -> Any:  # noqa: ARG002 - the audit has why
        rows = await self.store.read("runs.one", {"run": run})
        seal = None
        if self._subjects is not None and rows:
            journal, seal = await self._subjects.clear_journal(rows[0])
        else:
            journal = hidden(await self.store.read("runs.journal", {"run": run}))
        shown = published(readable(await self.runs.show(run, journal)))
        return shown if reveal else self._masks.run(shown, None if seal is None else seal.said)

    async def _before(self, action: str, arguments: dict[str, Any]) -> Any:
        """What is there before a change of events."""
        if action in ("events.resume", "events.skip"):
            rows = await self.store.read("parked.get", {"id": arguments.get("id")})
            return {k: rows[0].get(k) for k in ("event_id", "state", "reason", "attempts")} if rows else None
        if action == "subjects.forget":
            return await self._known_subjects.before(str(arguments.get("subject")))
        for status in await self.events.status():
            if status.subscription.name == arguments.get("name"):
                sub = status.subscription
                return {"state": sub.state, "generation": sub.generation, "lag": status.lag}
        return None

    async def _calls(self, since: int = 0, until: int = 1 << 40) -> Any:
        """Call records from one minute (since 1970-01-01 UTC) up to before another."""
        return await Calls(self.store).read(since, until)

    async def _audit_list(self, n: int = 50) -> Any:
        head = await self.store.read("audit.last")
        start = max(1, (head[0]["seq"] if head else 0) - n + 1)
        return [row.shown() async for row in self.audit.rows(start)]

    async def _events_resume(self, id: str, why: str = "", *, also: Sequence[Statement]) -> None:  # noqa: ARG002 - the word of the command; the audit has why
        await self.events.resume(id, also=also)

    async def _events_skip(self, id: str, why: str, *, also: Sequence[Statement]) -> Any:
        return await self.events.skip(id, why, also=also)

    async def _events_pause(self, name: str, why: str, *, also: Sequence[Statement]) -> None:
        await self.events.pause(name, why, also=also)

    async def _events_continue(self, name: str, why: str = "", *, also: Sequence[Statement]) -> None:  # noqa: ARG002 - the audit has why
        await self.events.go_on(name, also=also)

    async def _events_replay(self, name: str, why: str, also: Sequence[Statement], **window: Any) -> Any:
        await self.log.topics()
        return await self.events.replay(name, why, also=also, **window)

    async def _backup(self, file: str, why: str = "") -> Any:
        del why  # the audit has it
        return await backup(self.store, Path(file))

    async def _purge(self, why: str = "") -> Any:
        del why  # the audit has it
        done = await purge(self.store, self._kept)
        if done is None:
            raise AdminError(reason="Another process is purging.", mend="Look again in a minute.")
        return done

    async def _purgeable(self) -> Any:
        return await purgeable(self.store, self._kept)

    # -- subjects of personal data ----------------------------------------------------

    @property
    def _known_subjects(self) -> Subjects:
        if self._subjects is None:
            raise AdminError(
                reason="No personal data can be opened here.",
                mend="The app has none, or [personal] master cannot be read by this command.",
            )
        return self._subjects

    async def _subjects_export(self, subject: str, why: str) -> Any:
        del why  # the audit has it
        return await self._known_subjects.export(subject)

    async def _subjects_forget(
        self, subject: str, why: str, *, despite_runs: bool = False, also: Sequence[Statement]
    ) -> Any:
        return await self._known_subjects.forget(subject, why, despite_runs=despite_runs, also=also)

    async def _subjects_rewrap(self, why: str = "") -> Any:
        del why
        return await self._known_subjects.rewrap()


def _no_action(action: str, known: Sequence[str]) -> AdminError:
    if action.startswith(("keys.", "gateway.")):
        return AdminError(
            reason="What runs here serves without a gateway, and the keys are the gateway's.",
            mend="Serve with `levada up`; or stop it, and the store itself is asked.",
        )
    return AdminError(reason=f"There is no action {action!r}.", mend=f"Known are: {', '.join(known)}.")


def _target(arguments: dict[str, Any]) -> str:
    return next(
        (
            str(arguments[n])
            for n in ("run", "id", "name", "topic", "subject", "consumer", "file")
            if arguments.get(n)
        ),
        "",
    )
