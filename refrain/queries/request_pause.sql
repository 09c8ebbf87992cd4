UPDATE jobs
SET status = CASE WHEN tasks_running = 0 THEN 'paused' ELSE 'pausing' END,
    pause_mode = CASE WHEN tasks_running > 0 THEN %(mode)s END,
    message = CASE WHEN tasks_running = 0 THEN 'Paused' ELSE 'Pausing' END
WHERE job_id = %(job_id)s
    AND ((status IN ('pending', 'processing') AND error IS NULL)
        OR (status = 'pausing' AND pause_mode = 'drain' AND %(mode)s = 'abort'))
RETURNING status
