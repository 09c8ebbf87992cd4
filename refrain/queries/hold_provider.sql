UPDATE provider_limits
SET held_until = greatest(held_until, clock_timestamp() + %(delay)s)
WHERE provider = %(provider)s
