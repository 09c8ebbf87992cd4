SELECT operation_id
FROM provider_calls
WHERE provider = %(provider)s AND operation_id = ANY(%(operation_ids)s)
