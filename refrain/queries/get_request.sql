SELECT request FROM job_requests WHERE job_id = %(job_id)s
