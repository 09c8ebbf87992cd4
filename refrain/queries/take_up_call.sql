UPDATE provider_calls
SET attempt = %(attempt)s
WHERE call_id = (
    SELECT call_id
    FROM provider_calls
    WHERE job_id = %(job_id)s
        AND task_kind = %(kind)s
        AND position = %(position)s
        AND purpose = %(purpose)s
        AND provider = %(provider)s
        AND status IN ('sent', 'answered')
        AND on_stop IN ('pending', 'unsupported')
    ORDER BY call_id DESC
    LIMIT 1)
RETURNING *
