UPDATE jobs
SET status = 'processing',
    stage = CASE %(kind)s
        WHEN 'plan' THEN 'lyrics' WHEN 'segment' THEN 'segments' ELSE 'stitching' END,
    message = CASE %(kind)s
        WHEN 'plan' THEN 'Reading the lyrics'
        WHEN 'segment' THEN 'Making the clips'
        ELSE 'Stitching the video' END,
    started_at = coalesce(started_at, clock_timestamp()),
    tasks_running = tasks_running + 1
WHERE job_id = %(job_id)s
    AND status IN ('pending', 'processing')
    AND error IS NULL
    AND tasks_running < max_in_flight
RETURNING status
