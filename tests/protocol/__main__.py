"""Prints the guards and their verdicts as Markdown: `python -m tests.protocol`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from tests.protocol.guards import GUARDS, Guard
from tests.protocol.rules import AS_BUILT
from tests.protocol.search import Result, search
from tests.protocol.words import lines
from tests.protocol.worlds import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterator


def main() -> None:
    for line in _report():
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


def _report() -> Iterator[str]:
    yield "| what may happen | states | broken |"
    yield "|---|---|---|"
    for world in WHOLE:
        result = search(world.first_state, AS_BUILT)
        yield f"| {world} | {result.states:,} | {result.broken or 'nothing'} |"
    yield ""
    yield "| guard | kept by | without it | shortest way there |"
    yield "|---|---|---|---|"
    for guard in GUARDS:
        results = [search(world.first_state, guard.without) for world in guard.worlds]
        yield _row(guard, results)


def _row(guard: Guard, results: list[Result]) -> str:
    shown = next((each for each in results if each.broken), results[0])
    says = "; ".join(each for each in (shown.broken, guard.note) if each)
    states = sum(result.states for result in results)
    trace = "<br>".join(lines(shown.trace)) or f"none in {states:,} states"
    return f"| {guard} | {guard.where} | **{guard.verdict}**: {says} | {trace} |"


if __name__ == "__main__":
    main()
