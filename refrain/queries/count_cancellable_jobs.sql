-- What is avoidable is as in Job.avoidable_usd: a job with an error stops already.
SELECT
    count(*) FILTER (WHERE tasks_running = 0) AS idle,
    count(*) FILTER (WHERE tasks_running > 0) AS running,
    coalesce(sum(greatest(
        0, segment_usd * (segments_total - segments_completed) - in_flight_usd
    )) FILTER (WHERE error IS NULL), 0) AS avoidable_usd,
    coalesce(sum(in_flight_usd), 0) AS in_flight_usd,
    coalesce(sum(unstoppable_usd), 0) AS unstoppable_usd
FROM jobs
WHERE owner = %(owner)s
    AND status IN ('pending', 'processing', 'pausing', 'paused')
    AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
    AND (%(text)s::text IS NULL
        OR strpos(lower(title), lower(%(text)s)) > 0
        OR strpos(lower(artist), lower(%(text)s)) > 0)
    AND (%(created_from)s::timestamptz IS NULL OR created_at >= %(created_from)s)
    AND (%(created_to)s::timestamptz IS NULL OR created_at < %(created_to)s)
