WITH skipped_tasks AS (
    UPDATE tasks
    SET status = 'skipped', stop_mode = 'never_started', ended_at = clock_timestamp()
    FROM jobs
    WHERE jobs.job_id = %(job_id)s
        AND jobs.status IN ('processing', 'pausing')
        AND jobs.error IS NULL
        AND tasks.job_id = jobs.job_id
        AND tasks.status = 'queued'
    RETURNING tasks.position
)
UPDATE jobs
SET status = 'processing',
    pause_mode = NULL,
    error = %(error)s,
    message = %(message)s,
    tasks_skipped = tasks_skipped + (SELECT count(*) FROM skipped_tasks)
WHERE job_id = %(job_id)s AND status IN ('processing', 'pausing') AND error IS NULL
RETURNING status
