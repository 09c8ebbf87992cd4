UPDATE tasks
SET status = %(status)s,
    stop_mode = %(stop_mode)s,
    error = coalesce(%(error)s, error),
    failures = failures + %(failures)s,
    ended_at = clock_timestamp()
WHERE job_id = %(job_id)s
    AND kind = %(kind)s
    AND position = %(position)s
    AND attempt = %(attempt)s
    AND worker_id = %(worker_id)s
    AND status = 'running'
RETURNING status
