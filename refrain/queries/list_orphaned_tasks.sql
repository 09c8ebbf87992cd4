SELECT tasks.*, coalesce(tasks.job_id = ANY(workers.killed_for), false) AS killed
FROM tasks LEFT JOIN workers USING (worker_id)
WHERE tasks.job_id = %(job_id)s
    AND tasks.status = 'running'
    AND (workers.worker_id IS NULL OR workers.dead_at IS NOT NULL)
ORDER BY tasks.kind, tasks.position
