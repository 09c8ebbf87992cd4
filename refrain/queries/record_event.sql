WITH job AS (
    UPDATE jobs
    SET event_sequence = event_sequence + 1, updated_at = clock_timestamp()
    WHERE job_id = %(job_id)s
    RETURNING *
),
event AS (
    INSERT INTO job_events (
        job_id, sequence, kind, actor, task_kind, position, detail, payload)
    SELECT
        job_id, event_sequence, %(kind)s, %(actor)s, %(task_kind)s, %(position)s,
        %(detail)s, to_jsonb(job)
    FROM job
)
SELECT * FROM job
