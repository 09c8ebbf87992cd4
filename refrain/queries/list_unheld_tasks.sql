SELECT tasks.*
FROM tasks
LEFT JOIN unnest(
    %(job_ids)s::uuid[], %(kinds)s::text[], %(positions)s::integer[],
    %(attempts)s::integer[]
) AS held (job_id, kind, position, attempt)
    USING (job_id, kind, position, attempt)
WHERE tasks.worker_id = %(worker_id)s
    AND tasks.status = 'running'
    AND held.job_id IS NULL
