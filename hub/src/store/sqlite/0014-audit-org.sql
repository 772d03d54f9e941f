-- The org that an entry says it is about; entries from before say none.
ALTER TABLE audit ADD COLUMN org TEXT;
CREATE INDEX audit_by_org ON audit (org, seq);
