INSERT INTO tasks (job_id, kind, position, slot)
SELECT segments.job_id, 'segment', segments.position, segments.slot
FROM segments JOIN jobs USING (job_id)
WHERE jobs.job_id = %(job_id)s
    AND jobs.status IN ('processing', 'pausing', 'paused')
    AND jobs.error IS NULL
RETURNING position
