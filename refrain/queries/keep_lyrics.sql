UPDATE job_requests
SET request = request || %(found)s
WHERE job_id = %(job_id)s
