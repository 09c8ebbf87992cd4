UPDATE jobs
SET tasks_running = tasks_running - 1,
    segments_completed = segments_completed + %(segments_completed)s,
    tasks_aborted = tasks_aborted + %(aborted)s,
    tasks_killed = tasks_killed + %(killed)s,
    tasks_expired = tasks_expired + %(expired)s,
    tasks_finished_anyway = tasks_finished_anyway + %(finished_anyway)s,
    slowest_stop = CASE
        WHEN cancel_requested_at IS NULL THEN slowest_stop
        ELSE greatest(slowest_stop, clock_timestamp() - cancel_requested_at) END
WHERE job_id = %(job_id)s AND tasks_running > 0
RETURNING *
