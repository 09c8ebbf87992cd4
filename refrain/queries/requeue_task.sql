UPDATE tasks
SET status = 'queued',
    error = coalesce(%(error)s, error),
    failures = failures + %(failures)s,
    available_at = clock_timestamp() + %(delay)s
WHERE job_id = %(job_id)s
    AND kind = %(kind)s
    AND position = %(position)s
    AND attempt = %(attempt)s
    AND worker_id = %(worker_id)s
    AND status = 'running'
RETURNING status
