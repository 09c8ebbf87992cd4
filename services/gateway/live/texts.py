"""JobTexts: the jobs in their JSON form, written once for all lists that show them."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from services.gateway.job_service import OWNER
from services.gateway.live.sse import json_texts
from services.gateway.messages import job_message

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.gateway.jobs import Jobs

KEPT = 4000
"""Jobs whose text is kept: some 6 MB."""
READ = 25
"""Jobs that are read at once: a millisecond in which nothing else is done."""


class JobText(NamedTuple):
    """One version of a job."""

    version: int
    json: str


class JobTexts:
    """Each version is read by whoever needs it first, and kept for the others."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._texts: OrderedDict[str, JobText] = OrderedDict()

    async def of(self, versions: Mapping[str, int]) -> dict[str, JobText]:
        """Returns the jobs in these versions or newer ones, but those deleted."""
        texts = {
            job_id: text
            for job_id, version in versions.items()
            if (text := self._texts.get(job_id)) and text.version == version
        }
        missing = [job_id for job_id in versions if job_id not in texts]
        for start in range(0, len(missing), READ):
            texts |= await self._read(missing[start : start + READ])
        self._keep(texts)
        return texts

    async def _read(self, job_ids: Sequence[str]) -> dict[str, JobText]:
        read = await self._jobs.versioned(job_ids, OWNER)
        texts = await json_texts(job_message(job) for job, _ in read)
        return {
            str(job.job_id): JobText(version, text)
            for (job, version), text in zip(read, texts, strict=True)
        }

    def _keep(self, texts: Mapping[str, JobText]) -> None:
        for job_id, text in texts.items():
            self._texts[job_id] = text
            self._texts.move_to_end(job_id)
        while len(self._texts) > KEPT:
            self._texts.popitem(last=False)
