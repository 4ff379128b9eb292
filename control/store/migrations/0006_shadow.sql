-- Why it was refused, coarsely, and whether it was decided without being enforced (shadow mode). Of audit events both
-- are in the exported and hashed line only where they are not empty or 0, so that events from before keep their hashes.
ALTER TABLE audit_event ADD COLUMN refusal TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_event ADD COLUMN shadow INTEGER NOT NULL DEFAULT 0;
