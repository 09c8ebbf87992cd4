UPDATE provider_limits SET next_call_at = %(next_call_at)s
WHERE provider = %(provider)s
