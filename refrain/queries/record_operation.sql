-- Also of a call whose operation was given up for lost.
UPDATE provider_calls
SET operation_id = %(operation_id)s,
    cancel_state = CASE WHEN cancel_state = 'unknown' THEN on_stop ELSE cancel_state END,
    cancel_due_at = CASE
        WHEN cancel_state IN ('pending', 'unknown') AND on_stop = 'pending'
        THEN clock_timestamp() END,
    cancel_until = CASE
        WHEN cancel_state IN ('pending', 'unknown') AND on_stop = 'pending'
        THEN coalesce(cancel_until, clock_timestamp() + interval '1 hour') END
WHERE call_id = %(call_id)s AND operation_id IS NULL
RETURNING call_id
