SELECT next_call_at, held_until, clock_timestamp() AS locked_at
FROM provider_limits
WHERE provider = %(provider)s
FOR UPDATE SKIP LOCKED
