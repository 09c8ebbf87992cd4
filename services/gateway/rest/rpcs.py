"""RPCS: under which path and method of the JSON API each RPC is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from refrain.v1 import job_service_pb2 as v1

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, MethodDescriptor

PREFIX = "/api/v1"

_METHODS = v1.DESCRIPTOR.services_by_name["JobService"].methods_by_name


@dataclass(frozen=True, slots=True)
class Rpc:
    """An RPC over HTTP, as google.api.http would say it.

    What the path has in braces is a field of the request. The others come as the
    query of a GET or DELETE, and as the JSON body of a POST.
    """

    method: str
    path: str
    """Under PREFIX; `id` and `path` are convertors."""
    name: str

    @property
    def descriptor(self) -> MethodDescriptor:
        return _METHODS[self.name]

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


RPCS = (
    Rpc("GET", "/jobs", "ListJobs"),
    Rpc("POST", "/jobs", "CreateJob"),
    Rpc("POST", "/jobs:preview", "PreviewJob"),
    Rpc("POST", "/jobs:cancel", "CancelJobs"),
    Rpc("POST", "/jobs:batchCancel", "BatchCancelJobs"),
    Rpc("GET", "/jobs/{jobId:id}", "GetJob"),
    Rpc("DELETE", "/jobs/{jobId:id}", "DeleteJob"),
    Rpc("POST", "/jobs/{jobId:id}:cancel", "CancelJob"),
    Rpc("POST", "/jobs/{jobId:id}:pause", "PauseJob"),
    Rpc("POST", "/jobs/{jobId:id}:resume", "ResumeJob"),
    Rpc("POST", "/jobs/{jobId:id}:retry", "RetryJob"),
    Rpc("GET", "/jobs/{jobId:id}:wait", "WaitJob"),
    Rpc("GET", "/jobs/{jobId:id}:watch", "WatchJob"),
    Rpc("GET", "/jobs/{jobId:id}/segments", "ListSegments"),
    Rpc("GET", "/jobs/{jobId:id}/tasks", "ListTasks"),
    Rpc("GET", "/jobs/{jobId:id}/events", "ListJobEvents"),
    Rpc("POST", "/audio", "UploadAudio"),
    Rpc("GET", "/artifacts/{key:path}", "DownloadArtifact"),
    Rpc("GET", "/serverInfo", "GetServerInfo"),
)
