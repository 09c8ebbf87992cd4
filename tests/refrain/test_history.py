"""Histories: a hundred at a time, and two thousand now and then."""

from __future__ import annotations

from asyncio import Runner
from typing import TYPE_CHECKING

import pytest
import uvloop
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from psycopg import Connection
from psycopg.rows import dict_row

from refrain.store import Database
from refrain.store.database import Row
from tests.refrain.history import History
from tests.refrain.record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator

# Each history is drawn anew: the usual backend mostly varies a few that it has.
SETTINGS = settings(
    backend="hypothesis-urandom",
    stateful_step_count=20,
    deadline=None,
    database=None,
    print_blob=True,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


@pytest.fixture
def runner() -> Iterator[Runner]:
    with Runner(loop_factory=uvloop.new_event_loop) as runner:
        yield runner


@pytest.fixture
def record(database_url: str, runner: Runner) -> Iterator[Record]:
    database = Database(database_url, pool_size=1)
    runner.run(database.__aenter__())
    yield Record(database, database_url)
    runner.run(database.__aexit__())


def tell(record: Record, runner: Runner, histories: int) -> None:
    with Connection[Row].connect(
        record.url, autocommit=True, row_factory=dict_row, options="-c TimeZone=UTC"
    ) as own:

        class OfThisRecord(History):
            def __init__(self) -> None:
                super().__init__(record, runner, own)

        run_state_machine_as_test(
            OfThisRecord, settings=settings(SETTINGS, max_examples=histories)
        )


@pytest.mark.timeout(600)
def test_no_history_makes_the_record_unsound(record: Record, runner: Runner) -> None:
    tell(record, runner, histories=25)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nor_does_one_of_two_thousand(record: Record, runner: Runner) -> None:
    tell(record, runner, histories=2000)
