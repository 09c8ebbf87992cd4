WITH job AS (
    INSERT INTO jobs (
        owner, request_id, title, artist, labels, priority, max_in_flight, cancel_at,
        retried_from, segments_total, segments_completed, max_cost_usd, segment_usd,
        segments_usd, event_sequence
    )
    SELECT
        owner, %(request_id)s, title, artist, labels, priority, max_in_flight,
        now() + (cancel_at - created_at), job_id, segments_total,
        cardinality(%(reused)s::integer[]), max_cost_usd, segment_usd,
        (SELECT coalesce(sum(estimate_usd), 0) FROM segments
            WHERE segments.job_id = jobs.job_id
                AND position <> ALL(%(reused)s::integer[])),
        1
    FROM jobs
    WHERE job_id = %(job_id)s AND status IN ('cancelled', 'failed')
    ON CONFLICT (owner, request_id) DO NOTHING
    RETURNING *
),
request AS (
    INSERT INTO job_requests (job_id, request, digest)
    SELECT job.job_id, job_requests.request, %(digest)s
    FROM job JOIN job_requests ON job_requests.job_id = job.retried_from
),
storyboard AS (
    INSERT INTO segments (
        job_id, position, start_offset, end_offset, lines, prompt, slot, image_uri,
        clip_uri, input_digest, estimate_usd)
    SELECT
        job.job_id, position, start_offset, end_offset, lines, prompt, slot,
        CASE WHEN reused THEN image_uri END,
        CASE WHEN reused THEN clip_uri END,
        CASE WHEN reused THEN input_digest END,
        estimate_usd
    FROM job
    JOIN segments ON segments.job_id = job.retried_from
    CROSS JOIN LATERAL (SELECT position = ANY(%(reused)s) AS reused) AS found
    RETURNING position, slot, clip_uri IS NOT NULL AS reused
),
tasks AS (
    INSERT INTO tasks (job_id, kind, position, slot, status, ended_at)
    SELECT
        job.job_id, kind, position, slot,
        CASE WHEN done THEN 'completed' ELSE 'queued' END,
        CASE WHEN done THEN now() END
    FROM job
    CROSS JOIN LATERAL (
        SELECT 'plan', 0, 'provider', segments_total > 0
        UNION ALL
        SELECT 'segment', position, slot, reused FROM storyboard
        UNION ALL
        SELECT 'stitch', 0, 'media', false
        WHERE segments_total > 0 AND segments_completed = segments_total
    ) AS task (kind, position, slot, done)
),
event AS (
    INSERT INTO job_events (job_id, sequence, kind, actor, detail, payload)
    SELECT
        job_id, event_sequence, 'created', %(actor)s, format('retries %%s', retried_from),
        to_jsonb(job)
    FROM job
)
SELECT * FROM job
