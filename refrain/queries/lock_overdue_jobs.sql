SELECT job_id, paid
FROM jobs
WHERE status IN ('pending', 'processing', 'pausing', 'paused') AND cancel_at <= now()
ORDER BY tasks_running = 0, job_id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
