-- A start that is refused after its job has stopped leaves nothing that runs on.
UPDATE provider_calls
SET status = %(status)s,
    price_usd = greatest(price_usd, %(price_usd)s),
    cancel_state = 'not_needed',
    ended_at = clock_timestamp()
WHERE call_id = %(call_id)s
    AND (status = 'sent'
        OR (status = 'dropped' AND cancel_state = 'unknown')
        OR (status = 'dropped' AND cancel_state = 'unsupported' AND operation_id IS NULL)
        OR (status = 'answered' AND %(status)s = 'failed'))
RETURNING call_id
