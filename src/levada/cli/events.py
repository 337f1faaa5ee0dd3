"""``levada events``: the log, subscriptions, what is parked, replay."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import App, Parameter

from levada.cli._operate import At, Common, HowMany, ask, change, emit, say, table, when

__all__ = ["app"]

app = App(name="levada events", version_flags=())
_Flag = Annotated[bool, Parameter(negative="")]


@app.command
def tail(
    topic: str | None = None,
    /,
    *,
    n: HowMany = 20,
    key: str | None = None,
    reveal: _Flag = False,
    why: str | None = None,
    common: Common = At,
) -> int:
    """Show the last events of a topic; without one, the topics that there are.

    Args:
        topic: The topic, ``sales.OrderPlaced.v1``.
        n: How many.
        key: Only events of this key.
        reveal: Show personal data too; this is audited.
        why: Why they are needed.
        common: Options of every operating verb.
    """
    if topic is None and key is not None:
        from levada.deployment.admin import AdminError

        raise AdminError(
            reason="--key is for the events of a topic.",
            mend=f"levada events tail TOPIC --key {key}; `levada events tail` lists the topics.",
        )
    if topic is None:
        names = [t if isinstance(t, str) else t["name"] for t in ask(common, "events.topics")]
        emit(
            common,
            names,
            lambda: table(
                ("Topic",),
                [(t,) for t in names],
                empty="No topics yet: they come with the first API that publishes.",
            ),
        )
        return 0
    rows: list[dict[str, Any]] = ask(
        common, "events.tail", topic=topic, n=n, key=key, reveal=reveal or None, why=why
    )
    if not rows:
        _check_topic(topic, common)
    emit(common, rows, lambda: _tail(topic if key is None else f"{topic} of the key {key}", rows))
    return 0


def _tail(topic: str, rows: list[dict[str, Any]]) -> None:
    table(
        ("At", "Place", "Event", "Key", "Data"),
        [(when(r["appended"]), f"{r['part']}:{r['pos']}", r["event_id"], r["key"], r["data"]) for r in rows],
        empty=f"No events in {topic} yet.",
    )
    if len({r["event_id"] for r in rows}) < len(rows):
        say("An event that stands here twice was published again, by a replay; it is taken once.")


@app.command
def subscriptions(*, common: Common = At) -> int:
    """List subscriptions with their lag and what stands aside. Exit code 3: something is parked."""
    rows: list[dict[str, Any]] = ask(common, "events.subscriptions")
    emit(
        common,
        rows,
        lambda: table(
            ("Subscription", "State", "Lag", "Parked", "Retry", "Reads"),
            [
                (
                    r["subscription"]["name"],
                    r["subscription"]["state"],
                    r["lag"],
                    r["aside"].get("parked", 0),
                    r["aside"].get("retry", 0),
                    ", ".join(r["subscription"]["topics"]),
                )
                for r in rows
            ],
            empty="No subscriptions yet: they come with the first handler (@handles).",
            right=("Lag", "Parked", "Retry"),
        ),
    )
    return 3 if any(r["aside"].get("parked") for r in rows) else 0


@app.command
def parked(
    subscription: str = "", /, *, n: HowMany = 100, key: str | None = None, common: Common = At
) -> int:
    """List events that were put aside. Exit code 3: one waits for a person.

    Args:
        subscription: Only those of this subscription.
        n: How many at most.
        key: Only events of this key.
        common: Options of every operating verb.
    """
    rows: list[dict[str, Any]] = ask(common, "events.parked", subscription=subscription, n=n, key=key)
    emit(
        common,
        rows,
        lambda: table(
            ("Id", "State", "Subscription", "Event", "Key", "Since", "Behind", "Reason"),
            [
                (
                    r["id"],
                    r["state"],
                    r["subscription"],
                    r["event_id"],
                    r["key"],
                    when(r["at"]),
                    r["behind"],
                    f"{r['reason']} {r['detail']}",
                )
                for r in rows
            ],
            empty="Nothing is parked." if key is None else f"Nothing of the key {key} is parked.",
            right=("Behind",),
        ),
    )
    return 3 if any(r["state"] == "parked" for r in rows) else 0


@app.command
def resume(id: str, /, *, why: str | None = None, dry_run: _Flag = False, common: Common = At) -> int:
    """Try a parked event again; what stands behind it follows in order."""
    return change(
        common, f"try the parked event {id} again", "events.resume", dry_run=dry_run, id=id, why=why
    )


@app.command
def skip(id: str, /, *, why: str, dry_run: _Flag = False, common: Common = At) -> int:
    """Leave a parked event out for good; what stands behind it goes on."""
    return change(common, f"leave the parked event {id} out", "events.skip", dry_run=dry_run, id=id, why=why)


@app.command
def pause(name: str, /, *, why: str, dry_run: _Flag = False, common: Common = At) -> int:
    """Stop a subscription; its position stays."""
    return change(common, f"pause {name}", "events.pause", dry_run=dry_run, name=name, why=why)


@app.command(name="continue")
def continue_(name: str, /, *, why: str | None = None, dry_run: _Flag = False, common: Common = At) -> int:
    """Let a paused subscription go on."""
    return change(common, f"let {name} go on", "events.continue", dry_run=dry_run, name=name, why=why)


@app.command
def replay(
    name: str,
    /,
    *,
    why: str,
    since: str | None = None,
    again: _Flag = False,
    dry_run: _Flag = False,
    common: Common = At,
) -> int:
    """Give one subscription its events again; effects that were made are not made a second time.

    Args:
        name: The subscription.
        why: Why; it goes into the audit.
        since: From this time, ISO 8601; without one from the beginning.
        again: Make effects anew.
        dry_run: Only say what would be done.
        common: Options of every operating verb.

    Examples:
        levada events replay sales/OrderToCash/v1/fulfil --since 2027-03-01 --why "the stock was wrong" --dry-run
    """
    from datetime import datetime

    micros: int | None = None
    if since is not None:
        from levada.deployment.admin import AdminError

        try:
            micros = int(datetime.fromisoformat(since).astimezone().timestamp() * 1_000_000)
        except ValueError:
            raise AdminError(
                reason=f"--since {since} is no time.",
                mend="Write it as 2026-03-01 or 2026-03-01T12:00:00+01:00.",
            ) from None
    said = f"replay {name} from {since or 'the beginning'}{', making effects anew' if again else ''}"
    return change(
        common, said, "events.replay", dry_run=dry_run, counted=_events, name=name, why=why, since=micros,
        again=again or None,
    )  # fmt: skip


@app.command
def explain(event: str, /, *, subscription: str | None = None, common: Common = At) -> int:
    """What each subscription did with an event, and why. Exit code 1: the log does not have it."""
    rows: list[dict[str, Any]] = ask(common, "events.explain", event_id=event, subscription=subscription)
    emit(
        common,
        rows,
        lambda: table(
            ("Subscription", "State", "Why"),
            [(r["subscription"], r["state"], "; ".join(r["why"])) for r in rows],
            empty=f"The log does not have {event}, or nobody subscribes.",
        ),
    )
    return 0 if rows else 1


def _events(count: int) -> str:
    if not count:
        return ": no event; the log has none from then on for this subscription"
    return f": {count} event{'' if count == 1 else 's'}"


def _check_topic(topic: str, common: Common) -> None:
    from difflib import get_close_matches

    from levada.deployment.admin import AdminError

    names = [t if isinstance(t, str) else t["name"] for t in ask(common, "events.topics")]
    if topic not in names:
        near = get_close_matches(topic, names, 1)
        mend = f"Did you mean {near[0]}?" if near else "`levada events tail` lists the topics."
        raise AdminError(reason=f"There is no topic {topic}.", mend=mend)
