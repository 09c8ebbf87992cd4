"""Rows of the record as values of `refrain.job`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from refrain.job import (
    Cause,
    Job,
    Kind,
    PauseMode,
    SegmentRow,
    SegmentState,
    Slot,
    Stage,
    Status,
    StopMode,
    Task,
    TaskStatus,
)
from refrain.provider_call import CallStatus, CancelState, ProviderCall, Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping


def job_from(row: Mapping[str, Any]) -> Job:
    """Reads a row of `jobs`."""
    values: dict[str, Any] = {
        **row,
        "status": Status(row["status"]),
        "pause_mode": row["pause_mode"] and PauseMode(row["pause_mode"]),
        "stage": row["stage"] and Stage(row["stage"]),
        "cancel_cause": row["cancel_cause"] and Cause(row["cancel_cause"]),
    }
    return Job(**values)


def task_from(row: Mapping[str, Any]) -> Task:
    """Reads a row of `tasks`."""
    values: dict[str, Any] = {
        **row,
        "kind": Kind(row["kind"]),
        "slot": Slot(row["slot"]),
        "status": TaskStatus(row["status"]),
        "stop_mode": row["stop_mode"] and StopMode(row["stop_mode"]),
    }
    return Task(**values)


def segment_from(row: Mapping[str, Any]) -> SegmentRow:
    """Reads a row of `segments`."""
    values: dict[str, Any] = {**row, "lines": tuple(row["lines"])}
    return SegmentRow(**values)


def segment_state_from(row: Mapping[str, Any]) -> SegmentState:
    """Reads a row of `list_segment_states`."""
    state = {k: row[k] for k in ("error", "spent_usd", "in_flight_usd")}
    segment = {k: v for k, v in row.items() if k not in {*state, "status"}}
    return SegmentState(
        segment=segment_from(segment), status=TaskStatus(row["status"]), **state
    )


def call_from(row: Mapping[str, Any]) -> ProviderCall:
    """Reads a row of `provider_calls`."""
    values: dict[str, Any] = {
        **row,
        "kind": Kind(row["task_kind"]),
        "purpose": Purpose(row["purpose"]),
        "status": CallStatus(row["status"]),
        "on_stop": CancelState(row["on_stop"]),
        "cancel_state": CancelState(row["cancel_state"]),
    }
    del values["task_kind"]
    return ProviderCall(**values)
