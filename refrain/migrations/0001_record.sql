CREATE TABLE jobs (
    job_id uuid PRIMARY KEY DEFAULT uuidv7(),
    owner text NOT NULL,
    request_id text,
    status text NOT NULL DEFAULT 'pending',
    stage text,
    title text NOT NULL,
    artist text NOT NULL,
    labels jsonb NOT NULL DEFAULT '{}',
    priority smallint NOT NULL DEFAULT 0,
    max_in_flight smallint NOT NULL,
    tasks_running integer NOT NULL DEFAULT 0,
    segments_total integer NOT NULL DEFAULT 0,
    segments_completed integer NOT NULL DEFAULT 0,
    message text NOT NULL DEFAULT '',
    error jsonb,
    video jsonb,
    cancel_requested_at timestamptz,
    cancel_requested_by text,
    cancel_reason text,
    cancel_cause text,
    stopped_at timestamptz,
    tasks_skipped integer NOT NULL DEFAULT 0,
    tasks_aborted integer NOT NULL DEFAULT 0,
    tasks_finished_anyway integer NOT NULL DEFAULT 0,
    slowest_stop interval,
    cancel_at timestamptz,
    retried_from uuid,
    spent_usd numeric(12, 4) NOT NULL DEFAULT 0,
    avoided_usd numeric(12, 4) NOT NULL DEFAULT 0,
    avoided_probably_usd numeric(12, 4) NOT NULL DEFAULT 0,
    unknown_usd numeric(12, 4) NOT NULL DEFAULT 0,
    event_sequence bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    finished_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT now(),
    cancelled boolean GENERATED ALWAYS AS (cancel_requested_at IS NOT NULL) STORED,

    CONSTRAINT request_id_is_unique_to_its_owner UNIQUE (owner, request_id),
    CONSTRAINT status_is_known CHECK (status IN (
        'pending', 'processing', 'pausing', 'paused', 'cancelling', 'cancelled',
        'completed', 'failed')),
    CONSTRAINT stage_is_known CHECK (stage IN (
        'lyrics', 'storyboard', 'segments', 'stitching')),
    CONSTRAINT cause_is_known CHECK (cancel_cause IN (
        'user', 'admin', 'deadline', 'budget')),
    CONSTRAINT priority_is_in_range CHECK (priority BETWEEN -10 AND 10),
    CONSTRAINT max_in_flight_is_in_range CHECK (max_in_flight BETWEEN 1 AND 32),
    CONSTRAINT tasks_running_is_in_range CHECK (
        tasks_running BETWEEN 0 AND max_in_flight),
    CONSTRAINT segments_completed_is_in_range CHECK (
        segments_completed BETWEEN 0 AND segments_total),
    CONSTRAINT finished_or_not CHECK (
        (status IN ('cancelled', 'completed', 'failed')) = (finished_at IS NOT NULL)),
    CONSTRAINT finished_runs_nothing CHECK (finished_at IS NULL OR tasks_running = 0),
    CONSTRAINT pending_and_paused_run_nothing CHECK (
        status NOT IN ('pending', 'paused') OR tasks_running = 0),
    CONSTRAINT completed_has_its_video CHECK (
        (status = 'completed') = (video IS NOT NULL)),
    CONSTRAINT failed_has_its_error CHECK (status <> 'failed' OR error IS NOT NULL),
    CONSTRAINT cancelled_was_asked_for CHECK (
        (status IN ('cancelling', 'cancelled')) = (cancel_requested_at IS NOT NULL)),
    CONSTRAINT cancel_has_its_receipt CHECK (
        cancel_requested_at IS NULL OR num_nulls(
            cancel_requested_by, cancel_reason, cancel_cause) = 0),
    CONSTRAINT stopped_when_cancelled CHECK (
        (status = 'cancelled') = (stopped_at IS NOT NULL))
);

CREATE TABLE job_requests (
    job_id uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    request jsonb NOT NULL,
    digest bytea NOT NULL
);

CREATE INDEX jobs_by_owner ON jobs (owner, job_id DESC);
CREATE INDEX jobs_by_owner_and_status ON jobs (owner, status, job_id DESC);
CREATE INDEX jobs_claimable ON jobs (owner, priority DESC, tasks_running, job_id)
    WHERE status IN ('pending', 'processing') AND error IS NULL;
CREATE INDEX jobs_running ON jobs (owner) INCLUDE (tasks_running)
    WHERE tasks_running > 0;
CREATE INDEX jobs_stopping ON jobs (job_id)
    WHERE status IN ('cancelling', 'pausing')
        OR (status = 'processing' AND error IS NOT NULL);
CREATE INDEX jobs_with_deadline ON jobs (cancel_at)
    WHERE status IN ('pending', 'processing', 'pausing', 'paused')
        AND cancel_at IS NOT NULL;

CREATE FUNCTION refuse_rewriting_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.finished_at IS NOT NULL AND NEW.status <> OLD.status THEN
        RAISE EXCEPTION 'job % is finished: % cannot become %',
            OLD.job_id, OLD.status, NEW.status
            USING ERRCODE = 'check_violation', CONSTRAINT = 'finished_is_final';
    END IF;
    IF OLD.video IS NOT NULL AND NEW.video IS DISTINCT FROM OLD.video THEN
        RAISE EXCEPTION 'job % has its video already', OLD.job_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'one_video_per_job';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER history_is_final BEFORE UPDATE OF status, video ON jobs
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_history();

-- No foreign key to workers: a claim would hold a worker's row with the job's.
CREATE TABLE tasks (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    kind text NOT NULL,
    position integer NOT NULL DEFAULT 0,
    slot text NOT NULL,
    status text NOT NULL DEFAULT 'queued',
    attempt integer NOT NULL DEFAULT 0,
    failures integer NOT NULL DEFAULT 0,
    worker_id uuid,
    available_at timestamptz NOT NULL DEFAULT now(),
    started_at timestamptz,
    ended_at timestamptz,
    stop_mode text,
    error jsonb,

    PRIMARY KEY (job_id, kind, position),
    CONSTRAINT kind_is_known CHECK (kind IN ('plan', 'segment', 'stitch')),
    CONSTRAINT slot_is_known CHECK (slot IN ('provider', 'media')),
    CONSTRAINT status_is_known CHECK (status IN (
        'queued', 'running', 'completed', 'failed', 'cancelled', 'skipped')),
    CONSTRAINT stop_mode_is_known CHECK (stop_mode IN (
        'never_started', 'aborted', 'finished_anyway', 'killed_after_grace',
        'lease_expired')),
    CONSTRAINT running_has_its_worker CHECK (
        status <> 'running' OR num_nulls(worker_id, started_at) = 0),
    CONSTRAINT ended_or_open CHECK (
        (status IN ('queued', 'running')) = (ended_at IS NULL))
);

CREATE INDEX tasks_queued ON tasks (job_id, slot, available_at)
    WHERE status = 'queued';
CREATE INDEX tasks_running ON tasks (worker_id) WHERE status = 'running';

CREATE TABLE segments (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    position integer NOT NULL,
    start_offset interval NOT NULL,
    end_offset interval NOT NULL,
    lines jsonb NOT NULL,
    prompt text NOT NULL,
    image_uri text,
    clip_uri text,

    PRIMARY KEY (job_id, position),
    CONSTRAINT span_is_not_empty CHECK (start_offset < end_offset)
);

CREATE TABLE workers (
    worker_id uuid PRIMARY KEY DEFAULT uuidv7(),
    service text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    dead_at timestamptz
);

CREATE INDEX workers_alive ON workers (expires_at) WHERE dead_at IS NULL;

CREATE TABLE job_events (
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    sequence bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    actor text NOT NULL,
    task_kind text,
    position integer,
    detail text NOT NULL,
    payload jsonb NOT NULL,

    PRIMARY KEY (job_id, sequence)
);

CREATE TABLE provider_calls (
    call_id uuid PRIMARY KEY DEFAULT uuidv7(),
    job_id uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    task_kind text NOT NULL,
    position integer NOT NULL,
    attempt integer NOT NULL,
    provider text NOT NULL,
    purpose text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT purpose_is_known CHECK (purpose IN ('storyboard', 'image', 'clip'))
);

CREATE INDEX provider_calls_by_job ON provider_calls (job_id);

CREATE TABLE uploads (
    owner text NOT NULL,
    sha256 text NOT NULL,
    duration interval NOT NULL,
    size_bytes bigint NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),

    PRIMARY KEY (owner, sha256)
);
