SELECT
    held.job_id,
    held.kind,
    held.position,
    held.attempt,
    CASE
        WHEN tasks.status IS DISTINCT FROM 'running' THEN 'lease_lost'
        WHEN jobs.status = 'cancelling' THEN 'cancelled'
        WHEN jobs.pause_mode = 'abort' THEN 'paused'
        ELSE 'failed'
    END AS reason
FROM unnest(
    %(job_ids)s::uuid[], %(kinds)s::text[], %(positions)s::integer[],
    %(attempts)s::integer[]
) AS held (job_id, kind, position, attempt)
LEFT JOIN tasks
    ON tasks.job_id = held.job_id
    AND tasks.kind = held.kind
    AND tasks.position = held.position
    AND tasks.attempt = held.attempt
    AND tasks.worker_id = %(worker_id)s
LEFT JOIN jobs ON jobs.job_id = held.job_id
WHERE tasks.status IS DISTINCT FROM 'running'
    OR jobs.status = 'cancelling'
    OR jobs.pause_mode = 'abort'
    OR jobs.error IS NOT NULL
