-- Entries are signed, and found by what they say; their end and what was removed are signed too.
ALTER TABLE audit ADD COLUMN signature TEXT COLLATE "C", ADD COLUMN ts TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN actor TEXT COLLATE "C" NOT NULL DEFAULT '', ADD COLUMN action TEXT COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN project TEXT COLLATE "C", ADD COLUMN env TEXT COLLATE "C",
    ADD COLUMN request_id TEXT COLLATE "C" NOT NULL DEFAULT '';
DROP TRIGGER audit_is_not_changed ON audit;
UPDATE audit SET ts = CAST(entry AS json) ->> 'ts', actor = CAST(entry AS json) ->> 'actorId',
    action = CAST(entry AS json) ->> 'action', project = CAST(entry AS json) ->> 'project',
    env = CAST(entry AS json) ->> 'env', request_id = CAST(entry AS json) ->> 'requestId';
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit EXECUTE FUNCTION audit_is_append_only();
CREATE TABLE audit_head (one BIGINT PRIMARY KEY CHECK (one = 1), envelope TEXT COLLATE "C" NOT NULL);
CREATE TABLE audit_checkpoint (
    one BIGINT PRIMARY KEY CHECK (one = 1), seq BIGINT NOT NULL, envelope TEXT COLLATE "C" NOT NULL
);
DROP TRIGGER audit_is_not_deleted ON audit;
CREATE TRIGGER audit_is_not_truncated BEFORE TRUNCATE ON audit EXECUTE FUNCTION audit_is_append_only();
CREATE FUNCTION audit_is_removed_to_its_checkpoint() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN
        IF OLD.seq > (SELECT coalesce(max(seq), 0) FROM audit_checkpoint) THEN
            RAISE EXCEPTION 'the audit log is append-only';
        END IF;
        RETURN OLD;
    END $$;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_removed_to_its_checkpoint();
CREATE INDEX audit_by_time ON audit (ts);
CREATE INDEX audit_by_actor ON audit (actor, seq);
CREATE INDEX audit_by_action ON audit (action, seq);
CREATE INDEX audit_by_project ON audit (project, seq);
CREATE INDEX audit_by_request ON audit (request_id);
