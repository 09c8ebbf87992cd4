WITH mark AS MATERIALIZED (
    SELECT clock_timestamp() AS made_at
),
skipped_tasks AS (
    UPDATE tasks
    SET status = 'skipped', stop_mode = 'never_started', ended_at = mark.made_at
    FROM jobs, mark
    WHERE jobs.job_id = %(job_id)s
        AND jobs.status IN ('pending', 'processing', 'pausing', 'paused')
        AND tasks.job_id = jobs.job_id
        AND tasks.status = 'queued'
    RETURNING tasks.position
),
job AS (
    UPDATE jobs
    SET event_sequence = event_sequence + 1,
        updated_at = mark.made_at,
        status = CASE WHEN tasks_running = 0 THEN 'cancelled' ELSE 'cancelling' END,
        cancel_requested_at = mark.made_at,
        cancel_requested_by = %(requested_by)s,
        cancel_reason = %(reason)s,
        cancel_cause = %(cause)s,
        tasks_skipped = tasks_skipped + (SELECT count(*) FROM skipped_tasks),
        message = CASE WHEN tasks_running = 0 THEN %(message)s ELSE 'Cancelling' END,
        stopped_at = CASE WHEN tasks_running = 0 THEN mark.made_at END,
        finished_at = CASE WHEN tasks_running = 0 THEN mark.made_at END
    FROM mark
    WHERE job_id = %(job_id)s
        AND status IN ('pending', 'processing', 'pausing', 'paused')
    RETURNING jobs.*
),
event AS (
    INSERT INTO job_events (job_id, sequence, kind, actor, detail, payload)
    SELECT
        job_id, event_sequence, 'cancel_requested', cancel_requested_by, '',
        to_jsonb(job)
    FROM job
)
SELECT * FROM job
