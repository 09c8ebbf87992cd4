UPDATE jobs
SET status = CASE WHEN started_at IS NULL THEN 'pending' ELSE 'processing' END,
    pause_mode = NULL,
    message = 'Resumed'
WHERE job_id = %(job_id)s AND status IN ('pausing', 'paused')
RETURNING status
