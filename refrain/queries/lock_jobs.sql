SELECT * FROM jobs WHERE job_id = ANY(%(job_ids)s) ORDER BY job_id FOR UPDATE
