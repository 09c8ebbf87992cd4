UPDATE jobs
SET stage = 'segments',
    segments_total = (SELECT count(*) FROM segments WHERE job_id = %(job_id)s)
WHERE job_id = %(job_id)s AND segments_total = 0
RETURNING segments_total
