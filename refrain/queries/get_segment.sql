SELECT
    position, start_offset, end_offset, lines, prompt, image_uri, clip_uri,
    input_digest, estimate_usd
FROM segments
WHERE job_id = %(job_id)s AND position = %(position)s
