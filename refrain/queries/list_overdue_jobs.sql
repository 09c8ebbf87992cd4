SELECT job_id, owner
FROM jobs
WHERE status IN ('pending', 'processing', 'pausing', 'paused') AND cancel_at <= now()
ORDER BY job_id
LIMIT 1000
