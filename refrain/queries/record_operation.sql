UPDATE provider_calls
SET operation_id = %(operation_id)s,
    cancel_due_at = CASE WHEN cancel_state = 'pending' THEN clock_timestamp() END
WHERE call_id = %(call_id)s AND operation_id IS NULL
RETURNING *
