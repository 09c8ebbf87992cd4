UPDATE jobs
SET status = 'failed', finished_at = clock_timestamp()
WHERE job_id = %(job_id)s
    AND status = 'processing'
    AND error IS NOT NULL
    AND tasks_running = 0
RETURNING status
