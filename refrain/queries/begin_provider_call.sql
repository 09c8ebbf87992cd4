-- Of what is free, nothing is to be said later.
INSERT INTO provider_calls (
    job_id, task_kind, position, attempt, provider, purpose, model, estimate_usd,
    on_stop, status, price_usd, ended_at)
SELECT
    tasks.job_id, tasks.kind, tasks.position, tasks.attempt, %(provider)s,
    %(purpose)s, %(model)s, %(estimate_usd)s, %(on_stop)s,
    CASE WHEN %(on_stop)s = 'not_needed' THEN 'answered' ELSE 'sent' END,
    CASE WHEN %(on_stop)s = 'not_needed' THEN 0 END,
    CASE WHEN %(on_stop)s = 'not_needed' THEN clock_timestamp() END
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
RETURNING *
