SELECT job_id, event_sequence FROM jobs WHERE job_id = ANY(%(job_ids)s)
