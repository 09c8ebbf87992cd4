"""CALLS: under which path and method of the JSON API each RPC is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refrain.v1 import job_service_pb2 as v1

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor

PREFIX = "/api/v1"

_RPCS = v1.DESCRIPTOR.services_by_name["JobService"].methods_by_name


@dataclass(frozen=True, slots=True)
class Call:
    """An RPC over HTTP, as google.api.http would say it.

    What the path has in braces is a field of the request. The others come as the
    query of a GET or DELETE, and as the JSON body of a POST.
    """

    method: str
    path: str
    """Under PREFIX; `id` and `path` are convertors."""
    rpc: str

    @property
    def descriptor(self) -> MethodDescriptor:
        return _RPCS[self.rpc]

    @property
    def request(self) -> Descriptor:
        return self.descriptor.input_type

    @property
    def bound(self) -> list[str]:
        """The fields that stand in the path."""
        return re.findall(r"{(\w+)", self.path)

    @property
    def writes(self) -> bool:
        return self.method != "GET"

    @property
    def has_body(self) -> bool:
        return self.method == "POST"


CALLS = (
    Call("GET", "/jobs", "ListJobs"),
    Call("POST", "/jobs", "CreateJob"),
    Call("POST", "/jobs:preview", "PreviewJob"),
    Call("POST", "/jobs:cancel", "CancelJobs"),
    Call("POST", "/jobs:batchCancel", "BatchCancelJobs"),
    Call("GET", "/jobs/{jobId:id}", "GetJob"),
    Call("DELETE", "/jobs/{jobId:id}", "DeleteJob"),
    Call("POST", "/jobs/{jobId:id}:cancel", "CancelJob"),
    Call("POST", "/jobs/{jobId:id}:pause", "PauseJob"),
    Call("POST", "/jobs/{jobId:id}:resume", "ResumeJob"),
    Call("POST", "/jobs/{jobId:id}:retry", "RetryJob"),
    Call("GET", "/jobs/{jobId:id}:wait", "WaitJob"),
    Call("GET", "/jobs/{jobId:id}:watch", "WatchJob"),
    Call("GET", "/jobs/{jobId:id}/segments", "ListSegments"),
    Call("GET", "/jobs/{jobId:id}/tasks", "ListTasks"),
    Call("GET", "/jobs/{jobId:id}/events", "ListJobEvents"),
    Call("POST", "/audio", "UploadAudio"),
    Call("GET", "/artifacts/{key:path}", "DownloadArtifact"),
    Call("GET", "/serverInfo", "GetServerInfo"),
)
