UPDATE jobs
SET stage = 'segments',
    segments_total = planned.segments,
    segments_usd = planned.usd,
    segment_usd = planned.dearest_usd
FROM (
    SELECT
        count(*) AS segments,
        sum(estimate_usd) AS usd,
        max(estimate_usd) AS dearest_usd
    FROM segments
    WHERE job_id = %(job_id)s
) AS planned
WHERE jobs.job_id = %(job_id)s AND jobs.segments_total = 0
RETURNING jobs.segments_total
