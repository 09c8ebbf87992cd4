INSERT INTO jobs (
    owner, request_id, title, artist, labels, priority, max_in_flight, cancel_at
)
VALUES (
    %(owner)s, %(request_id)s, %(title)s, %(artist)s, %(labels)s, %(priority)s,
    %(max_in_flight)s, now() + %(cancel_after)s::interval
)
ON CONFLICT (owner, request_id) DO NOTHING
RETURNING job_id
