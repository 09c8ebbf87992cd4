SELECT
    EXISTS (
        SELECT FROM jobs
        WHERE job_id = %(job_id)s
            AND %(uri)s IN (
                video ->> 'uri', video ->> 'posterUri', video ->> 'captionsUri')
    ) OR EXISTS (
        SELECT FROM segments
        WHERE job_id = %(job_id)s AND %(uri)s IN (image_uri, clip_uri)
    ) AS named
