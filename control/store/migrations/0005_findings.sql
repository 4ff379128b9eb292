-- What detection saw. Both are JSON text: arrays of objects, see `finding.rs`.
-- Of audit events they are in the exported and hashed line only where they are not empty or 0, so that events
-- from before keep their hashes.
ALTER TABLE audit_event ADD COLUMN findings TEXT NOT NULL DEFAULT '[]';
ALTER TABLE audit_event ADD COLUMN findings_omitted INTEGER NOT NULL DEFAULT 0;
-- What was done about it in the end: '', 'log', 'redact', 'approve' or 'block'.
ALTER TABLE audit_event ADD COLUMN detection TEXT NOT NULL DEFAULT '';
-- What approvers are shown.
ALTER TABLE approval ADD COLUMN findings TEXT NOT NULL DEFAULT '[]';
