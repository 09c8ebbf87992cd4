INSERT INTO tasks (job_id, kind, slot)
SELECT job_id, 'stitch', 'media'
FROM jobs
WHERE job_id = %(job_id)s
    AND status IN ('processing', 'pausing', 'paused')
    AND error IS NULL
    AND segments_completed = segments_total
RETURNING job_id
