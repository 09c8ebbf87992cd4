-- A process that dies with it leaves it due again.
WITH due_calls AS (
    SELECT call_id
    FROM provider_calls
    WHERE cancel_state = 'pending'
        AND cancel_due_at <= clock_timestamp()
        AND provider = ANY(%(providers)s)
    ORDER BY cancel_due_at
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE provider_calls
SET cancel_attempts = cancel_attempts + 1,
    cancel_due_at = clock_timestamp() + %(lease)s
FROM due_calls
WHERE provider_calls.call_id = due_calls.call_id
RETURNING provider_calls.*
