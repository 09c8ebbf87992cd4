SELECT DISTINCT tasks.job_id
FROM tasks LEFT JOIN workers USING (worker_id)
WHERE tasks.status = 'running'
    AND (workers.worker_id IS NULL OR workers.dead_at IS NOT NULL)
ORDER BY tasks.job_id
