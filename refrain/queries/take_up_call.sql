UPDATE provider_calls
SET attempt = tasks.attempt
FROM tasks JOIN jobs USING (job_id) JOIN workers USING (worker_id)
WHERE tasks.job_id = %(job_id)s
    AND tasks.kind = %(kind)s
    AND tasks.position = %(position)s
    AND tasks.attempt = %(attempt)s
    AND tasks.worker_id = %(worker_id)s
    AND tasks.status = 'running'
    AND jobs.status IN ('processing', 'pausing')
    AND jobs.error IS NULL
    AND jobs.pause_mode IS DISTINCT FROM 'abort'
    AND workers.dead_at IS NULL
    AND workers.expires_at > clock_timestamp()
    AND provider_calls.call_id = (
        SELECT call_id
        FROM provider_calls AS kept
        WHERE kept.job_id = tasks.job_id
            AND kept.task_kind = tasks.kind
            AND kept.position = tasks.position
            AND kept.purpose = %(purpose)s
            AND kept.provider = %(provider)s
            AND kept.status IN ('sent', 'answered')
            AND kept.on_stop IN ('pending', 'unsupported')
        ORDER BY kept.call_id DESC
        LIMIT 1)
RETURNING provider_calls.*
