WITH job AS (
    INSERT INTO jobs (
        owner, request_id, title, artist, labels, priority, max_in_flight, cancel_at,
        max_cost_usd, event_sequence
    )
    VALUES (
        %(owner)s, %(request_id)s, %(title)s, %(artist)s, %(labels)s, %(priority)s,
        %(max_in_flight)s, now() + %(cancel_after)s::interval,
        %(max_cost_usd)s, 1
    )
    ON CONFLICT (owner, request_id) DO NOTHING
    RETURNING *
),
request AS (
    INSERT INTO job_requests (job_id, request, digest)
    SELECT job_id, %(request)s, %(digest)s
    FROM job
),
plan AS (
    INSERT INTO tasks (job_id, kind, slot)
    SELECT job_id, 'plan', 'provider'
    FROM job
),
event AS (
    INSERT INTO job_events (job_id, sequence, kind, actor, detail, payload)
    SELECT job_id, event_sequence, 'created', %(actor)s, '', to_jsonb(job)
    FROM job
)
SELECT * FROM job
