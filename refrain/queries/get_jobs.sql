SELECT jobs.*, jobs.xmin::text::bigint AS version
FROM jobs
WHERE job_id = ANY(%(job_ids)s) AND owner = %(owner)s
