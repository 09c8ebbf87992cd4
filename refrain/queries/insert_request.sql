INSERT INTO job_requests (job_id, request, digest)
VALUES (%(job_id)s, %(request)s, %(digest)s)
