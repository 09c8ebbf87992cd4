"""What can go wrong, as clients see it.

RefrainError
├── InvalidRequest        INVALID_ARGUMENT     names the fields
├── JobNotFound           NOT_FOUND            also another owner's
├── ArtifactNotFound      NOT_FOUND
├── WrongStatus           FAILED_PRECONDITION  names what cannot be done to the job
├── RequestIdTaken        ALREADY_EXISTS
├── SequenceOutOfRange    OUT_OF_RANGE
└── Unavailable           UNAVAILABLE          may be repeated

TaskError is apart: what a handler raises when its task cannot be done. It ends
in the record, not at a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from google.rpc import code_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from refrain.job import Status

Code = code_pb2.Code

_ADJECTIVES = {
    "cancel": "CANCELLABLE",
    "pause": "PAUSABLE",
    "resume": "RESUMABLE",
    "retry": "RETRYABLE",
    "delete": "DELETABLE",
}


class RefrainError(Exception):
    """An error with a gRPC code and a reason for google.rpc.ErrorInfo."""

    code: ClassVar[Code.ValueType]
    reason: str


class InvalidRequest(RefrainError):
    """The request cannot be served as it is.

    `violations` maps a field to what is wrong with it and what to do.
    """

    code = Code.INVALID_ARGUMENT
    reason = "INVALID_REQUEST"

    def __init__(self, violations: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{f}: {why}" for f, why in violations.items()))
        self.violations = violations


class JobNotFound(RefrainError):
    """There is no such job."""

    code = Code.NOT_FOUND
    reason = "JOB_NOT_FOUND"

    def __init__(self, job_id: object) -> None:
        super().__init__(f"There is no job {job_id}.")


class ArtifactNotFound(RefrainError):
    """No job of the caller names this artifact."""

    code = Code.NOT_FOUND
    reason = "ARTIFACT_NOT_FOUND"

    def __init__(self, uri: str) -> None:
        super().__init__(f"No job names the artifact {uri[:200]!r}.")


class WrongStatus(RefrainError):
    """The job does not stand where this can be done to it, and stays as it is."""

    code = Code.FAILED_PRECONDITION

    def __init__(self, verb: str, status: Status) -> None:
        """`verb` is one of cancel, pause, resume, retry, delete."""
        super().__init__(f"Cannot {verb} job with status: {status}")
        self.reason = f"JOB_NOT_{_ADJECTIVES[verb]}"


class RequestIdTaken(RefrainError):
    """The request_id belongs to another request."""

    code = Code.ALREADY_EXISTS
    reason = "REQUEST_ID_TAKEN"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used for another request; "
            "send the same request again, or another id."
        )


class SequenceOutOfRange(RefrainError):
    """The job has no event of this sequence yet."""

    code = Code.OUT_OF_RANGE
    reason = "SEQUENCE_OUT_OF_RANGE"

    def __init__(self, after: int, newest: int) -> None:
        super().__init__(
            f"after_sequence {after} is beyond the job's newest event, {newest}."
        )


class Unavailable(RefrainError):
    """Something this call needs does not answer; the call may be repeated."""

    code = Code.UNAVAILABLE
    reason = "UNAVAILABLE"


class TaskError(Exception):
    """A task cannot be done; `retryable` says whether another attempt may help."""

    def __init__(
        self,
        message: str,
        *,
        reason: str = "TASK_FAILED",
        retryable: bool = False,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.retryable = retryable
        self.retry_after = retry_after


class MediaError(TaskError):
    """A media process could not do with a file what it was asked to."""

    def __init__(self, message: str) -> None:
        super().__init__(message, reason="MEDIA_FAILED")


class OutcomeRefused(Exception):
    """The record cannot hold what a handler returned: a NUL, a span of no length."""


class CallRefused(Exception):
    """The record refused a provider call: this attempt is not to go on."""
