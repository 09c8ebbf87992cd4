WITH mark AS MATERIALIZED (
    SELECT clock_timestamp() AS made_at
),
cancellable_jobs AS MATERIALIZED (
    SELECT
        job_id,
        (SELECT count(*) FROM tasks
            WHERE tasks.job_id = jobs.job_id AND tasks.status = 'queued') AS tasks_queued
    FROM jobs
    WHERE job_id = ANY(%(job_ids)s)
        AND status IN ('pending', 'processing', 'pausing', 'paused')
),
skipped_tasks AS (
    UPDATE tasks
    SET status = 'skipped', stop_mode = 'never_started', ended_at = mark.made_at
    FROM cancellable_jobs, mark
    WHERE tasks.job_id = cancellable_jobs.job_id AND tasks.status = 'queued'
),
cancelled_jobs AS (
    UPDATE jobs
    SET event_sequence = event_sequence + CASE WHEN tasks_running = 0 THEN 2 ELSE 1 END,
        updated_at = mark.made_at,
        status = CASE WHEN tasks_running = 0 THEN 'cancelled' ELSE 'cancelling' END,
        pause_mode = NULL,
        cancel_requested_at = mark.made_at,
        cancel_requested_by = %(requested_by)s,
        cancel_reason = %(reason)s,
        cancel_cause = %(cause)s,
        tasks_skipped = tasks_skipped + cancellable_jobs.tasks_queued,
        message = CASE WHEN tasks_running = 0 THEN %(message)s ELSE 'Cancelling' END,
        stopped_at = CASE WHEN tasks_running = 0 THEN mark.made_at END,
        finished_at = CASE WHEN tasks_running = 0 THEN mark.made_at END
    FROM cancellable_jobs, mark
    WHERE jobs.job_id = cancellable_jobs.job_id
    RETURNING jobs.*
),
events AS (
    INSERT INTO job_events (job_id, sequence, kind, actor, detail, payload)
    SELECT
        job_id, event.sequence, event.kind, cancel_requested_by, '',
        to_jsonb(cancelled_jobs) || jsonb_build_object('event_sequence', event.sequence)
    FROM cancelled_jobs
    CROSS JOIN LATERAL (
        SELECT
            event_sequence - CASE status WHEN 'cancelled' THEN 1 ELSE 0 END AS sequence,
            'cancel_requested' AS kind
        UNION ALL
        SELECT event_sequence, 'cancelled' WHERE status = 'cancelled'
    ) AS event
)
SELECT * FROM cancelled_jobs
