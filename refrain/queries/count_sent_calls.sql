-- What a paused job keeps has long come to its end at the provider.
SELECT count(*) AS calls
FROM provider_calls
WHERE provider = %(provider)s
    AND status = 'sent'
    AND created_at > clock_timestamp() - interval '30 minutes'
