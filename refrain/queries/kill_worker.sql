UPDATE workers SET killed_at = now() WHERE worker_id = %(worker_id)s AND dead_at IS NULL
