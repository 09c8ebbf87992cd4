UPDATE jobs
SET stage = 'storyboard', message = 'Writing the storyboard'
WHERE job_id = %(job_id)s AND stage = 'lyrics'
