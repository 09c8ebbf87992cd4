-- What was spent is as in recount_calls. A plan that finishes after a stop leaves
-- segments without tasks.
WITH counted_calls AS (
    SELECT
        position,
        sum(estimate_usd) FILTER (WHERE status = 'sent') AS in_flight_usd,
        sum(CASE WHEN cancel_state IN ('refused', 'unsupported')
            THEN coalesce(price_usd, estimate_usd)
            ELSE price_usd END) AS spent_usd
    FROM provider_calls
    WHERE job_id = %(job_id)s AND task_kind = 'segment'
    GROUP BY position
)
SELECT
    position, start_offset, end_offset, lines, prompt, image_uri, clip_uri,
    input_digest, estimate_usd,
    coalesce(tasks.status, 'skipped') AS status,
    tasks.error,
    coalesce(counted_calls.spent_usd, 0) AS spent_usd,
    coalesce(counted_calls.in_flight_usd, 0) AS in_flight_usd
FROM segments
    LEFT JOIN counted_calls USING (position)
    LEFT JOIN (
        SELECT position, status, error
        FROM tasks
        WHERE job_id = %(job_id)s AND kind = 'segment'
    ) AS tasks USING (position)
WHERE job_id = %(job_id)s
ORDER BY position
