UPDATE segments
SET image_uri = %(image_uri)s
FROM tasks
WHERE segments.job_id = %(job_id)s
    AND segments.position = %(position)s
    AND tasks.job_id = segments.job_id
    AND tasks.kind = %(kind)s
    AND tasks.position = segments.position
    AND tasks.attempt = %(attempt)s
    AND tasks.worker_id = %(worker_id)s
    AND tasks.status = 'running'
RETURNING segments.position
