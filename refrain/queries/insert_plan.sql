INSERT INTO tasks (job_id, kind, slot) VALUES (%(job_id)s, 'plan', 'provider')
