"""What the tests of the record and of the protocol stand on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.refrain.record import Record

if TYPE_CHECKING:
    from refrain.store import Database


@pytest.fixture
def record(database: Database, database_url: str) -> Record:
    return Record(database, database_url)
