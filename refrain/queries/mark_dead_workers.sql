UPDATE workers
SET dead_at = now()
WHERE dead_at IS NULL
    AND expires_at < now()
    AND pg_postmaster_start_time() < now() - %(lease)s
RETURNING worker_id, service, host, pid
