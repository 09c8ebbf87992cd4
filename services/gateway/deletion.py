"""Deletes a job: its rows, and then the files that no other row names."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from refrain.errors import Unavailable

if TYPE_CHECKING:
    from uuid import UUID

    from refrain.service import Connections

log = logging.getLogger(__name__)


async def delete_job(to: Connections, job_id: UUID, owner: str) -> None:
    """Raises JobNotFound, and WrongStatus for a job that is not finished.

    Files that cannot be deleted now are left to the sweep.
    """
    await to.jobs.delete_job(job_id, owner)
    log.info("deleted", extra={"job_id": job_id})
    try:
        await to.artifacts.delete_unnamed(f"jobs/{job_id}", to.jobs.names_artifact)
    except Unavailable as err:
        log.warning("files are left: %s", err, extra={"job_id": job_id})
