UPDATE provider_calls
SET cancel_state = %(state)s, price_usd = %(price_usd)s
WHERE call_id = %(call_id)s AND cancel_state = 'pending'
RETURNING *
