UPDATE jobs
SET status = 'completed',
    pause_mode = NULL,
    message = 'Video ready',
    video = %(video)s,
    finished_at = clock_timestamp()
WHERE job_id = %(job_id)s
    AND status IN ('processing', 'pausing')
    AND error IS NULL
    AND tasks_running = 0
RETURNING status
