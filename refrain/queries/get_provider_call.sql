SELECT * FROM provider_calls WHERE call_id = %(call_id)s
