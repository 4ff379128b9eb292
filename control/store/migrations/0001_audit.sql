-- One row per audit event. `hash` chains the rows: see `record.rs` for what it covers (every other column).
-- Columns of type JSON text hold exactly what the exported line holds. Unsigned 64-bit numbers are stored
-- as the signed number of the same bits.
CREATE TABLE audit_event (
    sequence            INTEGER PRIMARY KEY,  -- 1, 2, 3, … without a gap
    kind                TEXT    NOT NULL,     -- 'decision' or 'gap'
    time_unix_nanos     INTEGER NOT NULL,     -- when the request arrived at the filter
    received_unix_nanos INTEGER NOT NULL,     -- when control received the batch
    sender              TEXT    NOT NULL,
    node                TEXT    NOT NULL,
    batch               INTEGER NOT NULL,
    position            INTEGER NOT NULL,     -- in the batch, from 0
    dropped             INTEGER NOT NULL,     -- kind 'gap': how many events the sender lost here
    id                  TEXT    NOT NULL,
    server              TEXT    NOT NULL,
    era                 TEXT    NOT NULL,
    method              TEXT    NOT NULL,
    target              TEXT    NOT NULL,
    user                TEXT    NOT NULL,
    agent               TEXT    NOT NULL,
    roles               TEXT    NOT NULL,     -- JSON text: array of strings
    issuer              TEXT    NOT NULL,
    arguments_digest    TEXT    NOT NULL,
    arguments           TEXT    NOT NULL,     -- JSON text: object, string (when it is no object), or null
    arguments_cut       INTEGER NOT NULL,
    effect              TEXT    NOT NULL,
    rules               TEXT    NOT NULL,     -- JSON text: array of strings
    reason              TEXT    NOT NULL,
    errors              TEXT    NOT NULL,     -- JSON text: array of strings
    outcome             TEXT    NOT NULL,
    error_code          INTEGER NOT NULL,
    duration_micros     INTEGER NOT NULL,
    trace_id            TEXT    NOT NULL,
    request_id          TEXT    NOT NULL,
    policy_version      TEXT    NOT NULL,
    hidden              INTEGER NOT NULL,
    shown               INTEGER NOT NULL,
    status              INTEGER NOT NULL,
    previous_hash       BLOB    NOT NULL,     -- 32 zero bytes for sequence 1
    hash                BLOB    NOT NULL
) STRICT;

-- What makes a batch that is sent again recognizable.
CREATE UNIQUE INDEX audit_event_batch ON audit_event (sender, batch) WHERE position = 0;

-- The end of the chain and the counts, changed in the same transaction as the events.
CREATE TABLE audit_head (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    hash     BLOB    NOT NULL,
    batches  INTEGER NOT NULL,
    dropped  INTEGER NOT NULL
) STRICT;

INSERT INTO audit_head (one, sequence, hash, batches, dropped) VALUES (1, 0, zeroblob(32), 0, 0);
