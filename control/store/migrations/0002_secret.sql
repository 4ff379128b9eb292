-- Secrets of this installation, each made once and then the same for every control that opens the store.
CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT;
