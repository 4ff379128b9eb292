-- What webhooks are still to be told, and what they were told lately.

-- Webhooks are told of what happens from the time on at which they were first seen.
CREATE TABLE webhook (
    name              TEXT PRIMARY KEY,
    since_unix_millis INTEGER NOT NULL
) STRICT;

CREATE TABLE notice (
    webhook             TEXT    NOT NULL,
    -- The same at every attempt; what receivers know repetitions by.
    id                  TEXT    NOT NULL,
    -- Empty when it is done.
    body                TEXT    NOT NULL,
    created_unix_millis INTEGER NOT NULL,
    attempts            INTEGER NOT NULL,
    -- When it is tried next; null when it is done.
    due_unix_millis     INTEGER,
    PRIMARY KEY (webhook, id)
) STRICT;
CREATE INDEX notice_due ON notice (webhook, due_unix_millis) WHERE due_unix_millis IS NOT NULL;

-- The open approvals, in the state in which webhooks last heard of them.
CREATE TABLE noticed (
    approval            TEXT PRIMARY KEY,
    state               TEXT    NOT NULL,
    created_unix_millis INTEGER NOT NULL
) STRICT;
