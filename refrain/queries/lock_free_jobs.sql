SELECT job_id, paid
FROM jobs
WHERE job_id = ANY(%(job_ids)s) AND owner = %(owner)s
ORDER BY job_id
FOR UPDATE SKIP LOCKED
