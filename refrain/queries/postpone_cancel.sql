UPDATE provider_calls
SET cancel_due_at = clock_timestamp() + %(delay)s,
    cancel_answer = coalesce(%(answer)s, cancel_answer)
WHERE call_id = %(call_id)s
    AND cancel_state = 'pending'
    AND operation_id IS NOT DISTINCT FROM %(operation_id)s
RETURNING call_id
