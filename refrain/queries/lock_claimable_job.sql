WITH busy_owners AS (
    SELECT owner, sum(tasks_running) AS tasks_running
    FROM jobs
    WHERE tasks_running > 0
    GROUP BY owner
),
full_owners AS (
    SELECT owner
    FROM jobs
    WHERE %(jobs_per_owner)s::integer IS NOT NULL
        AND status IN ('processing', 'pausing', 'cancelling')
    GROUP BY owner
    HAVING count(*) >= %(jobs_per_owner)s
),
claimable_jobs AS MATERIALIZED (
    SELECT
        jobs.job_id,
        coalesce(busy_owners.tasks_running, 0) AS owner_tasks_running,
        jobs.priority,
        jobs.tasks_running
    FROM jobs LEFT JOIN busy_owners USING (owner)
    WHERE jobs.status IN ('pending', 'processing')
        AND jobs.error IS NULL
        AND jobs.tasks_running < jobs.max_in_flight
        AND (jobs.status = 'processing'
            OR jobs.owner NOT IN (SELECT owner FROM full_owners))
    ORDER BY owner_tasks_running, priority DESC, tasks_running, job_id
)
SELECT jobs.job_id, jobs.owner, jobs.status
FROM claimable_jobs
CROSS JOIN LATERAL (
    SELECT FROM tasks
    WHERE tasks.job_id = claimable_jobs.job_id
        AND tasks.status = 'queued'
        AND tasks.kind = ANY(%(kinds)s)
        AND tasks.slot = ANY(%(slots)s)
        AND tasks.available_at <= now()
    LIMIT 1
) AS due_task
JOIN jobs USING (job_id)
WHERE jobs.status IN ('pending', 'processing')
    AND jobs.error IS NULL
    AND jobs.tasks_running < jobs.max_in_flight
ORDER BY
    claimable_jobs.owner_tasks_running,
    claimable_jobs.priority DESC,
    claimable_jobs.tasks_running,
    claimable_jobs.job_id
LIMIT 1
FOR UPDATE OF jobs SKIP LOCKED
