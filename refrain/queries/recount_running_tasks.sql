UPDATE jobs
SET tasks_running = (
    SELECT count(*) FROM tasks
    WHERE tasks.job_id = jobs.job_id AND tasks.status = 'running')
WHERE job_id = %(job_id)s
RETURNING *
