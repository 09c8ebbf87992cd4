"""The record: Postgres behind one async method per transition.

Every transition locks its job's row in a statement of its own and decides on what
it then reads; `queries/` holds the statements, one each.
"""

from refrain.store.calls import CallNotYet, CallStore
from refrain.store.cancel import CHUNK, CancellableJobs
from refrain.store.database import Database, migrate
from refrain.store.jobs import JobEvent, JobFilter, JobStore, NewJob, Upload
from refrain.store.lyrics import LyricsStore
from refrain.store.tasks import TaskStore
from refrain.store.transaction import Change
from refrain.store.workers import WorkerStore

__all__ = [
    "CHUNK",
    "CallNotYet",
    "CallStore",
    "CancellableJobs",
    "Change",
    "Database",
    "JobEvent",
    "JobFilter",
    "JobStore",
    "LyricsStore",
    "NewJob",
    "TaskStore",
    "Upload",
    "WorkerStore",
    "migrate",
]
