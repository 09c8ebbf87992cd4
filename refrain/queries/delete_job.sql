DELETE FROM jobs
WHERE job_id = %(job_id)s AND status IN ('cancelled', 'completed', 'failed')
RETURNING job_id
