UPDATE jobs
SET status = 'cancelled',
    message = %(message)s,
    stopped_at = clock_timestamp(),
    finished_at = clock_timestamp()
WHERE job_id = %(job_id)s AND status = 'cancelling' AND tasks_running = 0
RETURNING status
