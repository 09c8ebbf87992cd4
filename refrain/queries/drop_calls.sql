UPDATE provider_calls
SET status = 'dropped',
    cancel_state = on_stop,
    cancel_due_at = CASE WHEN on_stop = 'pending' THEN clock_timestamp() END,
    cancel_until = CASE WHEN on_stop = 'pending'
        THEN clock_timestamp() + interval '1 hour' END,
    ended_at = clock_timestamp()
WHERE job_id = ANY(%(job_ids)s)
    AND status = 'sent'
    AND NOT EXISTS (
        SELECT FROM tasks
        WHERE tasks.job_id = provider_calls.job_id
            AND tasks.kind = provider_calls.task_kind
            AND tasks.position = provider_calls.position
            AND tasks.status = 'running')
RETURNING call_id
