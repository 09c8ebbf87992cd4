SELECT job_id
FROM jobs
WHERE (status IN ('cancelling', 'pausing')
        OR (status = 'processing' AND error IS NOT NULL))
    AND NOT EXISTS (
        SELECT FROM tasks
        WHERE tasks.job_id = jobs.job_id AND tasks.status = 'running'
    )
ORDER BY job_id
