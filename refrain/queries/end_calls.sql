-- Operations are kept for the next attempt, if there will be one.
UPDATE provider_calls
SET status = 'dropped',
    cancel_state = on_stop,
    cancel_due_at = CASE WHEN on_stop = 'pending' THEN clock_timestamp() END,
    cancel_until = CASE WHEN on_stop = 'pending'
        THEN clock_timestamp() + interval '1 hour' END,
    ended_at = clock_timestamp()
WHERE job_id = %(job_id)s
    AND task_kind = %(kind)s
    AND position = %(position)s
    AND status = 'sent'
    AND (%(completed)s OR (attempt = %(attempt)s AND on_stop = 'unknown'))
RETURNING call_id
