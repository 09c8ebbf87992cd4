-- The rows of a ledger outlive the job: an operation is stopped, and paid, all the same.
ALTER TABLE provider_calls
    DROP CONSTRAINT provider_calls_job_id_fkey,
    ADD COLUMN model text NOT NULL DEFAULT '',
    ADD COLUMN estimate_usd numeric(12, 4) NOT NULL DEFAULT 0,
    ADD COLUMN price_usd numeric(12, 4),
    ADD COLUMN operation_id text,
    ADD COLUMN status text NOT NULL DEFAULT 'answered',
    ADD COLUMN on_stop text NOT NULL DEFAULT 'not_needed',
    ADD COLUMN cancel_state text NOT NULL DEFAULT 'not_needed',
    ADD COLUMN cancel_attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN cancel_answer text,
    ADD COLUMN cancel_due_at timestamptz,
    ADD COLUMN cancel_until timestamptz,
    ADD COLUMN ended_at timestamptz,
    ADD CONSTRAINT status_is_known CHECK (status IN (
        'sent', 'answered', 'failed', 'dropped')),
    ADD CONSTRAINT cancel_states_are_known CHECK (
        cancel_state IN (
            'not_needed', 'pending', 'confirmed', 'refused', 'unsupported', 'unknown')
        AND on_stop IN ('not_needed', 'pending', 'unsupported', 'unknown')),
    ADD CONSTRAINT only_dropped_calls_are_cancelled CHECK (
        status = 'dropped' OR cancel_state = 'not_needed'),
    ADD CONSTRAINT pending_cancel_is_due CHECK (
        cancel_state <> 'pending' OR num_nulls(cancel_due_at, cancel_until) = 0),
    ADD CONSTRAINT cancel_answer_is_known CHECK (
        cancel_answer IN ('accepted', 'refused', 'unsupported'));

UPDATE provider_calls SET price_usd = 0;

ALTER TABLE provider_calls
    ALTER COLUMN status SET DEFAULT 'sent',
    ADD CONSTRAINT answered_has_its_price CHECK (
        status <> 'answered' OR price_usd IS NOT NULL);

CREATE INDEX provider_calls_sent ON provider_calls (provider) WHERE status = 'sent';
CREATE INDEX provider_calls_to_cancel ON provider_calls (cancel_due_at)
    WHERE cancel_state = 'pending';
CREATE UNIQUE INDEX provider_calls_by_operation ON provider_calls (provider, operation_id)
    WHERE operation_id IS NOT NULL;

-- One row for each provider, locked by who books a call of it.
CREATE TABLE provider_limits (
    provider text PRIMARY KEY,
    next_call_at timestamptz NOT NULL DEFAULT 'epoch',
    held_until timestamptz NOT NULL DEFAULT 'epoch'
);

INSERT INTO provider_limits (provider) VALUES ('gemini'), ('omni'), ('odyssey'), ('veo');

ALTER TABLE jobs
    ADD COLUMN max_cost_usd numeric(12, 4),
    ADD COLUMN segment_usd numeric(12, 4) NOT NULL DEFAULT 0,
    ADD COLUMN segments_usd numeric(12, 4) NOT NULL DEFAULT 0,
    ADD COLUMN in_flight_usd numeric(12, 4) NOT NULL DEFAULT 0,
    ADD COLUMN unstoppable_usd numeric(12, 4) NOT NULL DEFAULT 0,
    ADD COLUMN calls_to_stop integer NOT NULL DEFAULT 0,
    ADD COLUMN cancels_confirmed integer NOT NULL DEFAULT 0,
    ADD COLUMN cancels_refused integer NOT NULL DEFAULT 0,
    ADD COLUMN cancels_pending integer NOT NULL DEFAULT 0,
    ADD COLUMN cancels_unsupported integer NOT NULL DEFAULT 0,
    ADD COLUMN cancels_unknown integer NOT NULL DEFAULT 0,
    ADD COLUMN paid boolean GENERATED ALWAYS AS (
        segments_usd + in_flight_usd + spent_usd + unknown_usd + avoided_probably_usd > 0
        OR calls_to_stop > 0
    ) STORED;

-- Events of before say what a job of before had: nothing.
UPDATE job_events
SET payload = jsonb_build_object(
    'segment_usd', 0, 'segments_usd', 0, 'in_flight_usd', 0, 'unstoppable_usd', 0,
    'calls_to_stop', 0,
    'cancels_confirmed', 0, 'cancels_refused', 0, 'cancels_pending', 0,
    'cancels_unsupported', 0, 'cancels_unknown', 0, 'paid', false) || payload;

ALTER TABLE segments
    ADD COLUMN estimate_usd numeric(12, 4) NOT NULL DEFAULT 0;

CREATE TABLE lyrics_answers (
    digest bytea PRIMARY KEY,
    answer jsonb NOT NULL,
    answered_at timestamptz NOT NULL DEFAULT now()
);
