SELECT attempt
FROM tasks JOIN jobs USING (job_id) JOIN workers USING (worker_id)
WHERE tasks.job_id = %(job_id)s
    AND tasks.kind = %(kind)s
    AND tasks.position = %(position)s
    AND tasks.attempt = %(attempt)s
    AND tasks.worker_id = %(worker_id)s
    AND tasks.status = 'running'
    AND jobs.status IN ('processing', 'pausing')
    AND jobs.error IS NULL
    AND jobs.pause_mode IS DISTINCT FROM 'abort'
    AND workers.dead_at IS NULL
    AND workers.expires_at > clock_timestamp()
