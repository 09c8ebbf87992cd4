-- What was paid for and can be had no more stays paid, but is not taken up again.
UPDATE provider_calls
SET status = CASE status WHEN 'sent' THEN 'dropped' ELSE 'failed' END,
    cancel_state = CASE status WHEN 'sent' THEN on_stop ELSE 'not_needed' END,
    cancel_due_at = CASE WHEN on_stop = 'pending' THEN clock_timestamp() END,
    cancel_until = CASE WHEN on_stop = 'pending'
        THEN clock_timestamp() + interval '1 hour' END,
    ended_at = clock_timestamp()
WHERE call_id = %(call_id)s
    AND attempt = %(attempt)s
    AND status IN ('sent', 'answered')
RETURNING call_id
