SELECT * FROM tasks
WHERE job_id = %(job_id)s
ORDER BY array_position(ARRAY['plan', 'segment', 'stitch'], kind), position
