SELECT * FROM jobs WHERE job_id = %(job_id)s AND owner = %(owner)s
