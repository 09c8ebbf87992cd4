UPDATE provider_calls
SET status = %(status)s,
    price_usd = greatest(price_usd, %(price_usd)s),
    cancel_state = 'not_needed',
    ended_at = clock_timestamp()
WHERE call_id = %(call_id)s
    AND (status = 'sent'
        OR (status = 'dropped' AND cancel_state = 'unknown')
        OR (status = 'answered' AND %(status)s = 'failed'))
RETURNING call_id
