SELECT
    EXISTS (
        SELECT FROM jobs
        WHERE job_id = substring(
                %(uri)s FROM
                '^artifact:jobs/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/')::uuid
            AND %(uri)s IN (
                video ->> 'uri', video ->> 'posterUri', video ->> 'captionsUri')
            AND owner = coalesce(%(owner)s, owner)
    ) OR EXISTS (
        SELECT FROM segments JOIN jobs USING (job_id)
        WHERE image_uri = %(uri)s AND owner = coalesce(%(owner)s, owner)
    ) OR EXISTS (
        SELECT FROM segments JOIN jobs USING (job_id)
        WHERE clip_uri = %(uri)s AND owner = coalesce(%(owner)s, owner)
    ) AS named
