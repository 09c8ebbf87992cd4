SELECT * FROM jobs WHERE job_id = %(job_id)s FOR UPDATE
