-- What components of all projects of an org may have at most, as JSON.
CREATE TABLE org_ceilings (
    org TEXT COLLATE "C" PRIMARY KEY REFERENCES orgs (name) ON DELETE CASCADE, document TEXT COLLATE "C" NOT NULL, updated_at TEXT COLLATE "C" NOT NULL
);
