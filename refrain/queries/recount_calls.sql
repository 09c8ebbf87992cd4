WITH counted_calls AS (
    SELECT
        job_id,
        sum(estimate_usd) FILTER (WHERE status = 'sent') AS in_flight_usd,
        sum(estimate_usd) FILTER (
            WHERE status = 'sent' AND on_stop IN ('unknown', 'unsupported')
        ) AS unstoppable_usd,
        count(*) FILTER (
            WHERE status = 'sent' AND on_stop <> 'not_needed') AS to_stop,
        sum(CASE WHEN cancel_state IN ('refused', 'unsupported')
            THEN coalesce(price_usd, estimate_usd)
            ELSE price_usd END) AS spent_usd,
        sum(greatest(0, estimate_usd - coalesce(price_usd, 0))) FILTER (
            WHERE cancel_state = 'confirmed') AS confirmed_usd,
        sum(estimate_usd) FILTER (
            WHERE cancel_state IN ('unknown', 'pending')) AS unknown_usd,
        count(*) FILTER (WHERE cancel_state = 'confirmed') AS confirmed,
        count(*) FILTER (WHERE cancel_state = 'refused') AS refused,
        count(*) FILTER (WHERE cancel_state = 'pending') AS pending,
        count(*) FILTER (WHERE cancel_state = 'unsupported') AS unsupported,
        count(*) FILTER (WHERE cancel_state = 'unknown') AS unknown
    FROM provider_calls
    WHERE job_id = ANY(%(job_ids)s)
    GROUP BY job_id
),
-- A free stand-in is made in the place of what was refused, which nobody saves.
sent_parts AS (
    SELECT job_id, max(estimate_usd) AS estimate_usd
    FROM provider_calls
    WHERE job_id = ANY(%(job_ids)s) AND task_kind = 'segment'
    GROUP BY job_id, position, purpose
    HAVING bool_or(status <> 'failed')
),
sent_segments AS (
    SELECT job_id, sum(estimate_usd) AS estimate_usd FROM sent_parts GROUP BY job_id
)
UPDATE jobs
SET in_flight_usd = coalesce(counted_calls.in_flight_usd, 0),
    unstoppable_usd = coalesce(counted_calls.unstoppable_usd, 0),
    calls_to_stop = coalesce(counted_calls.to_stop, 0),
    spent_usd = coalesce(counted_calls.spent_usd, 0),
    avoided_usd = CASE
        WHEN %(stopping)s AND jobs.finished_at IS NULL THEN
            greatest(0, jobs.segments_usd - coalesce(sent_segments.estimate_usd, 0))
        ELSE jobs.avoided_usd END,
    avoided_probably_usd = coalesce(counted_calls.confirmed_usd, 0),
    unknown_usd = coalesce(counted_calls.unknown_usd, 0),
    cancels_confirmed = coalesce(counted_calls.confirmed, 0),
    cancels_refused = coalesce(counted_calls.refused, 0),
    cancels_pending = coalesce(counted_calls.pending, 0),
    cancels_unsupported = coalesce(counted_calls.unsupported, 0),
    cancels_unknown = coalesce(counted_calls.unknown, 0)
FROM unnest(%(job_ids)s) AS wanted (job_id)
    LEFT JOIN counted_calls USING (job_id)
    LEFT JOIN sent_segments USING (job_id)
WHERE jobs.job_id = wanted.job_id
