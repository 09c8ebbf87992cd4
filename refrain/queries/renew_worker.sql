UPDATE workers
SET expires_at = now() + %(lease)s
WHERE worker_id = %(worker_id)s AND dead_at IS NULL
RETURNING worker_id
