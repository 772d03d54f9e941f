-- What components of all projects of an org may have at most, as JSON.
CREATE TABLE org_ceilings (
    org TEXT PRIMARY KEY REFERENCES orgs (name) ON DELETE CASCADE, document TEXT NOT NULL, updated_at TEXT NOT NULL
) STRICT;
