SELECT
    job_events.sequence AS event_number,
    job_events.recorded_at AS event_recorded_at,
    job_events.kind AS event_kind,
    job_events.actor AS event_actor,
    job_events.task_kind AS event_task_kind,
    job_events.position AS event_position,
    job_events.detail AS event_detail,
    job.*
FROM job_events
CROSS JOIN LATERAL jsonb_populate_record(NULL::jobs, job_events.payload) AS job
WHERE job_events.job_id = %(job_id)s AND job_events.sequence > %(after)s
ORDER BY job_events.sequence
LIMIT %(page_size)s
