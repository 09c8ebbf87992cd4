"""The record: Postgres behind one async method per transition.

Every transition locks its job's row in a statement of its own and decides on what
it then reads; `queries/` holds the statements, one each.
"""

from refrain.store.cancel import CHUNK, CancellableJobs
from refrain.store.database import Database, migrate
from refrain.store.jobs import JobEvent, JobFilter, JobStore, NewJob, Upload
from refrain.store.tasks import TaskStore
from refrain.store.transaction import Change
from refrain.store.workers import WorkerStore

__all__ = [
    "CHUNK",
    "CancellableJobs",
    "Change",
    "Database",
    "JobEvent",
    "JobFilter",
    "JobStore",
    "NewJob",
    "TaskStore",
    "Upload",
    "WorkerStore",
    "migrate",
]
