UPDATE workers
SET killed_for = %(job_ids)s
WHERE worker_id = %(worker_id)s AND dead_at IS NULL
