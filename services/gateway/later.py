"""RPCs of the API that this version does not offer yet."""

from __future__ import annotations

from typing import NoReturn

from refrain.errors import NotOffered
from refrain.v1.job_service_pb2_grpc import JobServiceServicer


class LaterRpcs(JobServiceServicer):
    """Answers UNIMPLEMENTED."""

    async def PreviewJob(self, request: object, context: object) -> NoReturn:
        raise NotOffered("PreviewJob")

    async def BatchCancelJobs(self, request: object, context: object) -> NoReturn:
        raise NotOffered("BatchCancelJobs")

    async def CancelJobs(self, request: object, context: object) -> NoReturn:
        raise NotOffered("CancelJobs")

    async def PauseJob(self, request: object, context: object) -> NoReturn:
        raise NotOffered("PauseJob")

    async def ResumeJob(self, request: object, context: object) -> NoReturn:
        raise NotOffered("ResumeJob")

    async def RetryJob(self, request: object, context: object) -> NoReturn:
        raise NotOffered("RetryJob")

    async def WaitJob(self, request: object, context: object) -> NoReturn:
        raise NotOffered("WaitJob")

    async def ListJobEvents(self, request: object, context: object) -> NoReturn:
        raise NotOffered("ListJobEvents")

    async def DeleteJob(self, request: object, context: object) -> NoReturn:
        raise NotOffered("DeleteJob")
