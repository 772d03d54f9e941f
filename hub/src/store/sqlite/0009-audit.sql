-- Entries are signed, and found by what they say; their end and what was removed are signed too.
ALTER TABLE audit ADD COLUMN signature TEXT;
ALTER TABLE audit ADD COLUMN ts TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN action TEXT NOT NULL DEFAULT '';
ALTER TABLE audit ADD COLUMN project TEXT;
ALTER TABLE audit ADD COLUMN env TEXT;
ALTER TABLE audit ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
DROP TRIGGER audit_is_not_changed;
UPDATE audit SET ts = entry ->> '$.ts', actor = entry ->> '$.actorId', action = entry ->> '$.action',
    project = entry ->> '$.project', env = entry ->> '$.env', request_id = entry ->> '$.requestId';
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TABLE audit_head (one INTEGER PRIMARY KEY CHECK (one = 1), envelope TEXT NOT NULL) STRICT;
CREATE TABLE audit_checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, envelope TEXT NOT NULL) STRICT;
DROP TRIGGER audit_is_not_deleted;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit
    WHEN OLD.seq > (SELECT coalesce(max(seq), 0) FROM audit_checkpoint)
    BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE INDEX audit_by_time ON audit (ts);
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
CREATE INDEX audit_by_project ON audit (project, seq);
CREATE INDEX audit_by_request ON audit (request_id);
