SELECT * FROM tasks
WHERE job_id = %(job_id)s AND kind = %(kind)s AND position = %(position)s
