-- One step of the index for each owner, and then for the job that comes first of an
-- owner's: the cost does not grow with the jobs that wait.
WITH RECURSIVE waiting_owners AS (
    (SELECT owner
    FROM jobs
    WHERE status IN ('pending', 'processing') AND error IS NULL
    ORDER BY owner, priority DESC, tasks_running, job_id
    LIMIT 1)
    UNION ALL
    SELECT next_owner.owner
    FROM waiting_owners
    CROSS JOIN LATERAL (
        SELECT jobs.owner
        FROM jobs
        WHERE status IN ('pending', 'processing')
            AND error IS NULL
            AND jobs.owner > waiting_owners.owner
        ORDER BY jobs.owner, priority DESC, tasks_running, job_id
        LIMIT 1
    ) AS next_owner
),
busy_owners AS (
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
owners AS MATERIALIZED (
    SELECT owner, owner IN (SELECT owner FROM full_owners) AS is_full
    FROM waiting_owners LEFT JOIN busy_owners USING (owner)
    ORDER BY coalesce(busy_owners.tasks_running, 0)
)
SELECT claimable_job.*
FROM owners
CROSS JOIN LATERAL (
    SELECT job_id, owner, status
    FROM jobs
    WHERE jobs.owner = owners.owner
        AND status IN ('pending', 'processing')
        AND error IS NULL
        AND tasks_running < max_in_flight
        AND (status = 'processing' OR NOT owners.is_full)
        AND EXISTS (
            SELECT FROM tasks
            WHERE tasks.job_id = jobs.job_id
                AND tasks.status = 'queued'
                AND tasks.kind = ANY(%(kinds)s)
                AND tasks.slot = ANY(%(slots)s)
                AND tasks.available_at <= now()
        )
    ORDER BY priority DESC, tasks_running, job_id
    LIMIT 1
    FOR UPDATE SKIP LOCKED
) AS claimable_job
LIMIT 1
