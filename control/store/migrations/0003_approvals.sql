-- Approvals: calls that wait for people, or did. Times are milliseconds since the Unix epoch.
CREATE TABLE approval (
    number              INTEGER PRIMARY KEY,  -- in the order in which they were asked
    id                  TEXT    NOT NULL UNIQUE,
    state               TEXT    NOT NULL,
    mechanism           TEXT    NOT NULL,
    digest              BLOB    NOT NULL,
    definition          BLOB,                 -- NULL when no definition was known
    server              TEXT    NOT NULL,
    policy_version      TEXT    NOT NULL,
    method              TEXT    NOT NULL,
    target              TEXT    NOT NULL,
    arguments           TEXT    NOT NULL,
    rules               TEXT    NOT NULL,     -- JSON: array of strings
    requirements        TEXT    NOT NULL,     -- JSON: array of objects, see `approvals/json.rs`
    risks               TEXT    NOT NULL,     -- JSON: array of strings
    era                 TEXT    NOT NULL,
    trace_id            TEXT    NOT NULL,
    event_id            TEXT    NOT NULL,
    issuer              TEXT    NOT NULL,
    user                TEXT    NOT NULL,
    agent               TEXT    NOT NULL,
    roles               TEXT    NOT NULL,     -- JSON: array of strings
    created_unix_millis INTEGER NOT NULL,
    expires_unix_millis INTEGER NOT NULL,
    decided_unix_millis INTEGER,              -- when it stopped to be pending
    ended_unix_millis   INTEGER,
    ended_reason        TEXT    NOT NULL DEFAULT '',
    run_state           TEXT,
    run_detail          TEXT    NOT NULL DEFAULT '',
    run_unix_millis     INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX approval_state ON approval (state, number);
CREATE INDEX approval_ended ON approval (ended_unix_millis) WHERE ended_unix_millis IS NOT NULL;
CREATE INDEX approval_target ON approval (server, target, number);

CREATE TABLE approval_vote (
    approval       TEXT    NOT NULL,
    number         INTEGER NOT NULL,          -- from 0
    issuer         TEXT    NOT NULL,
    user           TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    roles          TEXT    NOT NULL,          -- JSON: array of strings
    verdict        TEXT    NOT NULL,
    reason         TEXT    NOT NULL,
    at_unix_millis INTEGER NOT NULL,
    PRIMARY KEY (approval, number)
) STRICT, WITHOUT ROWID;

-- Requests of one client that wait one after the other: the last of each chain. Kept for a day after the end.
CREATE TABLE approval_chain (
    approval   TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    waiter     TEXT    NOT NULL,
    number     INTEGER NOT NULL,
    mechanism  TEXT    NOT NULL,
    sender     TEXT    NOT NULL,
    cancel_key TEXT    NOT NULL,
    PRIMARY KEY (approval, name)
) STRICT, WITHOUT ROWID;

-- Claims that were granted: of one chain, and once for each of its requests.
CREATE TABLE approval_grant (
    approval       TEXT    NOT NULL,
    chain          TEXT    NOT NULL,
    number         INTEGER NOT NULL,
    waiter         TEXT    NOT NULL,
    sender         TEXT    NOT NULL,
    at_unix_millis INTEGER NOT NULL,
    PRIMARY KEY (approval, number)
) STRICT, WITHOUT ROWID;

-- Messages and answers of tasks, for as long as the task can be asked for.
CREATE TABLE approval_task (
    approval           TEXT    PRIMARY KEY,
    keep_unix_millis   INTEGER NOT NULL,      -- until when
    body               BLOB    NOT NULL,
    result             BLOB
) STRICT;

-- What each tool was when a filter last saw it.
CREATE TABLE tool_definition (
    server           TEXT    NOT NULL,
    tool             TEXT    NOT NULL,
    digest           BLOB    NOT NULL,
    json             TEXT    NOT NULL,
    seen_unix_millis INTEGER NOT NULL,
    PRIMARY KEY (server, tool)
) STRICT, WITHOUT ROWID;

-- The approval that an audit event is about, or that the call was held for. It is in the exported and hashed line
-- only when it is not empty, so that events from before keep their hashes.
ALTER TABLE audit_event ADD COLUMN approval TEXT NOT NULL DEFAULT '';
