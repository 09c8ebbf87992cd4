SELECT * FROM jobs WHERE job_id = ANY(%(job_ids)s) AND owner = %(owner)s
