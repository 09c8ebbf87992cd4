SELECT jobs.job_id, job_requests.digest
FROM jobs JOIN job_requests USING (job_id)
WHERE jobs.owner = %(owner)s AND jobs.request_id = %(request_id)s
