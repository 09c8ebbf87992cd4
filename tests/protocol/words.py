"""Words: a trace as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from refrain.job import Kind
from tests.protocol.state import Attempt, Mode, Phase, Zone, kind_of

if TYPE_CHECKING:
    from tests.protocol.search import Trace
    from tests.protocol.state import State, Step

_WORDS = {
    "cancel": "cancel",
    "cancel waits": "a cancel looks at the tasks, and waits for the lock",
    "write cancel": "the cancel gets the lock and writes",
    "pause drain": "pause with DRAIN",
    "pause abort": "pause with ABORT",
    "resume": "resume",
    "claim": "{worker} claims {task}",
    "open": "{worker} learns of its claim of {task} and runs it",
    "open aborted": "{worker} learns of its claim of {task}, which is to stop",
    "drop": "{worker} learns too late of its claim of {task}, and drops it",
    "finish": "{task} ends by itself in {worker}",
    "fail": "{task} fails for good in {worker}",
    "err": "{task} fails in {worker}",
    "abort": "{worker} aborts {task}",
    "settle": "{worker} settles {task}",
    "settle waits": "{worker}'s settle of {task} looks, and waits for the lock",
    "write settle": "{worker}'s settle of {task} gets the lock and writes",
    "hear": "{worker} hears the stop",
    "renew": "{worker} renews its lease",
    "poll": "{worker}'s heartbeat learns of the stop",
    "let go": "{worker} aborts all, held for dead",
    "register": "{worker} registers under a new id",
    "hand back": "{worker} hands back {task}, which it does not hold",
    "fence aborts": "{worker}'s fence aborts all",
    "fence ends": "{worker}'s fence ends the process",
    "fence looks": "{worker}'s fence finds nothing running",
    "grace ends": "{worker} ends: {task} ignored its abort",
    "retire": "{worker} retires",
    "mark dead": "the sweep marks {worker} dead",
    "rescue": "the sweep rescues what {dead} ran",
    "rescue for good": "the sweep rescues what {dead} ran, once too often",
    "end idle": "the sweep ends the idle job",
    "roll back": "Postgres rolls the claim of {task} back",
    "late commit": "the late COMMIT of the claim of {task} arrives",
    "wake": "{worker} wakes",
    "heal": "{worker} reaches Postgres again",
    "restart": "{worker} is started again",
    "crash": "{worker} is killed",
    "drain": "{worker} is told to end",
    "freeze": "{worker} freezes",
    "cut": "{worker} is cut off from Postgres",
    "cut in claim": "{worker} is cut off as it claims {task}; COMMIT is on its way",
    "lose claim": "the reply to {worker}'s claim of {task} is lost",
    "lose settle": "{worker} settles {task}, and the reply is lost",
    "lose request": "{worker}'s settle of {task} is lost",
    "ignore": "{task} ignores its abort in {worker}",
}
_SECONDS = {Zone.ABORT: 7, Zone.END: 9, Zone.LAPSED: 10}


def lines(trace: Trace) -> list[str]:
    """One line for each step."""
    return [_line(step, after) for step, after in trace]


def _line(step: Step, after: State) -> str:
    name, index, task = step
    worker = "AB"[index]
    if name == "time":
        return _time(worker, after, index)
    if name == "open" and _aborted_at_once(after, index, task):
        name = "open aborted"
    dead = next(
        ("AB"[at] for at, each in enumerate(after.workers) if each.marked_dead),
        "a dead id",
    )
    return _WORDS[name].format(worker=worker, task=_task(after, task), dead=dead)


def _time(worker: str, after: State, index: int) -> str:
    now = after.workers[index]
    if now.mode is Mode.CUT:
        return f"{_SECONDS[now.zone]} s since {worker}'s last renewal"
    return f"{worker}'s lease lapses"


def _aborted_at_once(after: State, index: int, task: int) -> bool:
    return any(
        (held.task, held.attempt, held.phase) == (task, Attempt.OURS, Phase.ABORTED)
        for held in after.workers[index].held
    )


def _task(state: State, task: int) -> str:
    if kind_of(state, task) is Kind.STITCH:
        return "the stitch"
    return f"segment {task + 1}"
