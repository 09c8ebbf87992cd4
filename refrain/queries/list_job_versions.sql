-- As list_jobs, whose comment holds here too. Every change of a row, also one that
-- records no event, gives it another xmin.
SELECT page.job_id::text, page.version
FROM unnest(%(statuses)s::text[]) AS wanted (status)
CROSS JOIN LATERAL (
    SELECT jobs.job_id, jobs.xmin::text::bigint AS version
    FROM jobs
    WHERE jobs.owner = %(owner)s
        AND jobs.status = ANY(ARRAY[wanted.status])
        AND jobs.job_id < coalesce(
            %(before)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')
        AND (%(text)s::text IS NULL
            OR strpos(lower(jobs.title), lower(%(text)s)) > 0
            OR strpos(lower(jobs.artist), lower(%(text)s)) > 0)
        AND (%(created_from)s::timestamptz IS NULL
            OR jobs.created_at >= %(created_from)s)
        AND (%(created_to)s::timestamptz IS NULL OR jobs.created_at < %(created_to)s)
    ORDER BY jobs.status, jobs.job_id DESC
    LIMIT %(page_size)s
) AS page
ORDER BY page.job_id DESC
LIMIT %(page_size)s
