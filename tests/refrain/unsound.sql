WITH jobs_asked_about AS (
    SELECT
        jobs.*,
        status IN ('cancelled', 'completed', 'failed') AS finished,
        status = 'cancelling' OR (status = 'processing' AND error IS NOT NULL)
            AS stopping
    FROM jobs
    WHERE cardinality(%(job_ids)s::uuid[]) = 0 OR job_id = ANY(%(job_ids)s::uuid[])
),
counted AS (
    SELECT
        job.*, running, queued, skipped, aborted, killed, expired, finished_anyway,
        made, stitches, stitched, claimed_at, failed_at, clips, called_at, events,
        newest_event, newest_kind,
        to_jsonb(jobs) - 'job_id' = newest_payload - 'job_id' AS told_as_it_stands
    FROM jobs_asked_about AS job
    JOIN jobs USING (job_id)
    CROSS JOIN LATERAL (
        SELECT
            count(*) FILTER (WHERE tasks.status = 'running') AS running,
            count(*) FILTER (WHERE tasks.status = 'queued') AS queued,
            count(*) FILTER (WHERE tasks.status = 'skipped') AS skipped,
            count(*) FILTER (WHERE stop_mode = 'aborted') AS aborted,
            count(*) FILTER (WHERE stop_mode = 'killed_after_grace') AS killed,
            count(*) FILTER (WHERE stop_mode = 'lease_expired') AS expired,
            count(*) FILTER (WHERE stop_mode = 'finished_anyway') AS finished_anyway,
            count(*) FILTER (
                WHERE tasks.kind = 'segment' AND tasks.status = 'completed') AS made,
            count(*) FILTER (WHERE tasks.kind = 'stitch') AS stitches,
            count(*) FILTER (
                WHERE tasks.kind = 'stitch' AND tasks.status = 'completed') AS stitched,
            max(tasks.started_at) AS claimed_at,
            max(tasks.ended_at) FILTER (WHERE tasks.status = 'failed') AS failed_at
        FROM tasks WHERE tasks.job_id = job.job_id
    ) AS of_tasks
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE clip_uri IS NOT NULL) AS clips
        FROM segments WHERE segments.job_id = job.job_id
    ) AS of_segments
    CROSS JOIN LATERAL (
        SELECT max(provider_calls.created_at) AS called_at
        FROM provider_calls WHERE provider_calls.job_id = job.job_id
    ) AS of_calls
    CROSS JOIN LATERAL (
        SELECT count(*) AS events FROM job_events WHERE job_events.job_id = job.job_id
    ) AS of_events
    CROSS JOIN LATERAL (
        SELECT sequence AS newest_event, kind AS newest_kind, payload AS newest_payload
        FROM job_events WHERE job_events.job_id = job.job_id
        ORDER BY sequence DESC
        LIMIT 1
    ) AS newest
),
told AS (
    SELECT
        job_events.*,
        kind LIKE 'task\_%%' AS of_task,
        payload ->> 'status' AS status,
        payload ->> 'error' AS error,
        lag(payload) OVER job AS before,
        lag(payload ->> 'status') OVER job AS status_before,
        lag(payload ->> 'error') OVER job AS error_before,
        lag(kind) OVER task AS kind_before,
        count(*) FILTER (WHERE kind = 'task_started') OVER task AS attempts
    FROM job_events
    WHERE job_id IN (SELECT job_id FROM jobs_asked_about)
    WINDOW
        job AS (PARTITION BY job_id ORDER BY sequence),
        task AS (
            PARTITION BY job_id, task_kind, position, kind LIKE 'task\_%%'
            ORDER BY sequence)
),
ends_of_tasks AS (
    SELECT DISTINCT ON (job_id, task_kind, position)
        job_id, task_kind AS kind, coalesce(position, 0) AS position,
        kind AS newest_kind, attempts
    FROM told
    WHERE of_task
    ORDER BY job_id, task_kind, position, sequence DESC
)

SELECT job_id, violation
FROM counted CROSS JOIN LATERAL (
    VALUES
        (running <> tasks_running, 'tasks_running is not what runs'),
        (running > max_in_flight, 'more runs than the job allows'),
        (clips <> segments_completed, 'segments_completed is not what is made'),
        (made <> clips, 'a segment is made and its task did not make it'),
        (finished AND running > 0, 'a task of a finished job runs'),
        ((finished OR stopping) AND queued > 0, 'a task of a stopped job is queued'),
        (stopping AND running = 0, 'a stopping job has nothing left to stop'),
        (status = 'pausing' AND running = 0, 'a pausing job has nothing to wait for'),
        (NOT finished AND running + queued = 0, 'nothing will ever end this job'),
        (status = 'pending' AND started_at IS NOT NULL, 'a job is pending once more'),
        (status = 'processing' AND started_at IS NULL, 'a job goes on, never started'),
        (skipped <> tasks_skipped, 'the receipt miscounts what was skipped'),
        (aborted <> tasks_aborted, 'the receipt miscounts what was aborted'),
        (killed <> tasks_killed, 'the receipt miscounts what was killed'),
        (expired <> tasks_expired, 'the receipt miscounts whose lease expired'),
        (finished_anyway <> tasks_finished_anyway,
            'the receipt miscounts what finished anyway'),
        (cancel_requested_at IS NOT NULL AND slowest_stop < interval '0',
            'a task stopped before it was asked to'),
        (claimed_at > cancel_requested_at, 'a task was claimed after the mark'),
        (failed_at > cancel_requested_at, 'a task failed after the mark'),
        (called_at > cancel_requested_at, 'a call was begun after the mark'),
        ((status = 'completed') <> (video IS NOT NULL), 'a video, or its lack'),
        (stitches > 1, 'two stitches'),
        (stitched <> (status = 'completed')::integer,
            'a stitch completed, and the job did not'),
        (events <> event_sequence OR newest_event <> event_sequence,
            'the events have a gap'),
        (NOT told_as_it_stands, 'the newest event tells another job than the row'),
        (finished <> (newest_kind IN ('cancelled', 'completed', 'failed')),
            'the newest event is not the end, or is')
) AS found (holds, violation)
WHERE holds

UNION ALL

SELECT job_id, format('%%s, at event %%s', violation, sequence)
FROM told CROSS JOIN LATERAL (
    VALUES
        ((payload ->> 'event_sequence')::bigint <> sequence,
            'an event tells the sequence of another'),
        (status <> status_before
            AND status_before || ' ' || status <> ALL(%(transitions)s),
            'no transition leads from the status before to this one'),
        (status_before IN ('cancelled', 'completed', 'failed')
            AND before - '{event_sequence,updated_at}'::text[]
                <> payload - '{event_sequence,updated_at}'::text[],
            'a finished job was changed'),
        (before ->> 'cancel_requested_at' IS NOT NULL
            AND NOT payload @> jsonb_build_object(
                'cancel_requested_at', before -> 'cancel_requested_at',
                'cancel_requested_by', before -> 'cancel_requested_by',
                'cancel_reason', before -> 'cancel_reason',
                'cancel_cause', before -> 'cancel_cause'),
            'another cancel was put in the place of the first'),
        (error_before IS NOT NULL AND error IS DISTINCT FROM error_before,
            'another error was put in the place of the first'),
        (kind = 'task_started' AND (
            status_before NOT IN ('pending', 'processing') OR error_before IS NOT NULL),
            'a task of a stopped or paused job was claimed'),
        (of_task AND kind = 'task_started' AND kind_before NOT IN (
            'task_handed_back', 'task_retried', 'task_rescued'),
            'a task was claimed that was not free'),
        (of_task AND kind <> 'task_started' AND
            kind_before IS DISTINCT FROM 'task_started',
            'an attempt ended twice')
) AS found (holds, violation)
WHERE holds

UNION ALL

SELECT job_id, format('%%s: %%s %%s', violation, kind, position)
FROM tasks LEFT JOIN ends_of_tasks USING (job_id, kind, position)
CROSS JOIN LATERAL (
    VALUES
        (attempt <> coalesce(attempts, 0), 'an attempt that no event tells of'),
        ((status = 'running') <> (coalesce(newest_kind, '') = 'task_started'),
            'its row says that the task runs, or its events do'),
        (attempt > 0
            AND (status = 'completed') <> (newest_kind = 'task_completed'),
            'its row says that the task completed, or its events do')
) AS found (holds, violation)
WHERE job_id IN (SELECT job_id FROM jobs_asked_about) AND holds
