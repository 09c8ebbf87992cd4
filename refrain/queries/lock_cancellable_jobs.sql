SELECT job_id, paid
FROM jobs
WHERE owner = %(owner)s
    AND status IN ('pending', 'processing', 'pausing', 'paused')
    AND (%(statuses)s::text[] IS NULL OR status = ANY(%(statuses)s))
    AND (%(text)s::text IS NULL
        OR strpos(lower(title), lower(%(text)s)) > 0
        OR strpos(lower(artist), lower(%(text)s)) > 0)
    AND (%(created_from)s::timestamptz IS NULL OR created_at >= %(created_from)s)
    AND (%(created_to)s::timestamptz IS NULL OR created_at < %(created_to)s)
ORDER BY tasks_running = 0, job_id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
