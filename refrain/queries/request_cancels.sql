WITH mark AS MATERIALIZED (
    SELECT clock_timestamp() AS made_at
),
cancellable_jobs AS MATERIALIZED (
    SELECT job_id
    FROM jobs
    WHERE job_id = ANY(%(job_ids)s)
        AND status IN ('pending', 'processing', 'pausing', 'paused')
        AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
),
skipped_tasks AS (
    UPDATE tasks
    SET status = 'skipped', stop_mode = 'never_started', ended_at = mark.made_at
    FROM cancellable_jobs, mark
    WHERE tasks.job_id = cancellable_jobs.job_id AND tasks.status = 'queued'
    RETURNING tasks.job_id
),
skips AS (
    SELECT job_id, count(*) AS tasks
    FROM skipped_tasks
    GROUP BY job_id
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
        tasks_skipped = tasks_skipped + coalesce(skips.tasks, 0),
        message = CASE WHEN tasks_running = 0 THEN %(message)s ELSE 'Cancelling' END,
        stopped_at = CASE WHEN tasks_running = 0 THEN mark.made_at END,
        finished_at = CASE WHEN tasks_running = 0 THEN mark.made_at END
    FROM mark, cancellable_jobs LEFT JOIN skips USING (job_id)
    WHERE jobs.job_id = cancellable_jobs.job_id
    RETURNING jobs.*
),
event_numbers AS (
    SELECT
        job_id,
        event_sequence - CASE status WHEN 'cancelled' THEN 1 ELSE 0 END AS sequence,
        'cancel_requested' AS kind
    FROM cancelled_jobs
    UNION ALL
    SELECT job_id, event_sequence, 'cancelled'
    FROM cancelled_jobs
    WHERE status = 'cancelled'
),
events AS (
    INSERT INTO job_events (job_id, sequence, kind, actor, detail, payload)
    SELECT
        job_id, sequence, kind, cancel_requested_by, '',
        to_jsonb(cancelled_jobs) || jsonb_build_object('event_sequence', sequence)
    FROM event_numbers JOIN cancelled_jobs USING (job_id)
)
SELECT * FROM cancelled_jobs
