INSERT INTO workers (service, host, pid, expires_at)
VALUES (%(service)s, %(host)s, %(pid)s, now() + %(lease)s)
RETURNING worker_id
