SELECT tasks.*, workers.killed_at IS NOT NULL AS killed
FROM tasks LEFT JOIN workers USING (worker_id)
WHERE tasks.job_id = %(job_id)s
    AND tasks.status = 'running'
    AND (workers.worker_id IS NULL OR workers.dead_at IS NOT NULL)
ORDER BY tasks.kind, tasks.position
