UPDATE jobs
SET status = 'paused', pause_mode = NULL, message = 'Paused'
WHERE job_id = %(job_id)s AND status = 'pausing' AND tasks_running = 0
RETURNING status
