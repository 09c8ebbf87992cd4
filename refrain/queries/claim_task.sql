WITH due_task AS (
    SELECT job_id, kind, position
    FROM tasks
    WHERE job_id = %(job_id)s
        AND status = 'queued'
        AND kind = ANY(%(kinds)s)
        AND slot = ANY(%(slots)s)
        AND available_at <= clock_timestamp()
    ORDER BY position
    LIMIT 1
)
UPDATE tasks
SET status = 'running',
    attempt = attempt + 1,
    worker_id = workers.worker_id,
    started_at = clock_timestamp()
FROM due_task, workers, jobs
WHERE tasks.job_id = due_task.job_id
    AND tasks.kind = due_task.kind
    AND tasks.position = due_task.position
    AND workers.worker_id = %(worker_id)s
    AND workers.dead_at IS NULL
    AND workers.expires_at > clock_timestamp()
    AND jobs.job_id = due_task.job_id
    AND jobs.status IN ('pending', 'processing')
    AND jobs.error IS NULL
    AND jobs.tasks_running < jobs.max_in_flight
    AND (jobs.status = 'processing' OR %(jobs_per_owner)s::integer IS NULL OR (
        SELECT count(*)
        FROM jobs AS others
        WHERE others.owner = jobs.owner
            AND others.status IN ('processing', 'pausing', 'cancelling')
    ) < %(jobs_per_owner)s)
RETURNING tasks.*
