ALTER TABLE jobs
    ADD COLUMN pause_mode text,
    ADD COLUMN tasks_killed integer NOT NULL DEFAULT 0,
    ADD COLUMN tasks_expired integer NOT NULL DEFAULT 0,
    ADD CONSTRAINT pause_mode_is_known CHECK (pause_mode IN ('drain', 'abort')),
    ADD CONSTRAINT pausing_has_its_mode CHECK (
        (status = 'pausing') = (pause_mode IS NOT NULL));

UPDATE jobs
SET tasks_aborted = tasks_aborted - expired_tasks.tasks,
    tasks_expired = expired_tasks.tasks
FROM (
    SELECT job_id, count(*) AS tasks
    FROM tasks
    WHERE stop_mode = 'lease_expired'
    GROUP BY job_id
) AS expired_tasks
WHERE jobs.job_id = expired_tasks.job_id;

CREATE INDEX jobs_under_way ON jobs (owner)
    WHERE status IN ('processing', 'pausing', 'cancelling');

ALTER TABLE segments
    ADD COLUMN slot text NOT NULL DEFAULT 'media',
    ADD COLUMN input_digest bytea,
    ADD CONSTRAINT slot_is_known CHECK (slot IN ('provider', 'media'));

CREATE INDEX segments_by_image ON segments (image_uri) WHERE image_uri IS NOT NULL;
CREATE INDEX segments_by_clip ON segments (clip_uri) WHERE clip_uri IS NOT NULL;

ALTER TABLE workers ADD COLUMN killed_for uuid[];
