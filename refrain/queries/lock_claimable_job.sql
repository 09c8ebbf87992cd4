WITH busy_owners AS (
    SELECT owner, sum(tasks_running) AS tasks_running
    FROM jobs
    WHERE tasks_running > 0
    GROUP BY owner
)
SELECT jobs.job_id
FROM jobs LEFT JOIN busy_owners USING (owner)
WHERE jobs.status IN ('pending', 'processing')
    AND jobs.error IS NULL
    AND jobs.tasks_running < jobs.max_in_flight
    AND EXISTS (
        SELECT FROM tasks
        WHERE tasks.job_id = jobs.job_id
            AND tasks.status = 'queued'
            AND tasks.kind = ANY(%(kinds)s)
            AND tasks.slot = ANY(%(slots)s)
            AND tasks.available_at <= now()
    )
ORDER BY
    coalesce(busy_owners.tasks_running, 0),
    jobs.priority DESC,
    jobs.tasks_running,
    jobs.job_id
LIMIT 1
FOR UPDATE OF jobs SKIP LOCKED
