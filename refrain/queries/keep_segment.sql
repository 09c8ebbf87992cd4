UPDATE segments
SET image_uri = %(image_uri)s,
    clip_uri = %(clip_uri)s,
    input_digest = %(input_digest)s
WHERE job_id = %(job_id)s AND position = %(position)s
