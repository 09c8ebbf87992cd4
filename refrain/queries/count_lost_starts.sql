SELECT
    count(*) FILTER (WHERE status = 'dropped') AS dropped,
    count(*) FILTER (WHERE status = 'sent') AS sent
FROM provider_calls
WHERE provider = %(provider)s
    AND operation_id IS NULL
    AND (status = 'sent' OR cancel_state = 'pending')
    AND created_at >= %(created_at)s - interval '1 minute'
