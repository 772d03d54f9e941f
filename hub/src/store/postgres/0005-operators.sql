-- Who works with the Hub, in which orgs and teams, and as what. What there was before belongs to the first org, and the operator of
-- the first token owns it.
CREATE TABLE operators (
    id TEXT COLLATE "C" PRIMARY KEY, email TEXT COLLATE "C" UNIQUE, name TEXT COLLATE "C" NOT NULL, password TEXT COLLATE "C",
    totp BYTEA, totp_confirmed_at TEXT COLLATE "C", totp_step BIGINT NOT NULL DEFAULT 0, created_at TEXT COLLATE "C" NOT NULL,
    disabled_at TEXT COLLATE "C"
);
CREATE TABLE orgs (name TEXT COLLATE "C" PRIMARY KEY, created_at TEXT COLLATE "C" NOT NULL);
CREATE TABLE org_members (
    org TEXT COLLATE "C" NOT NULL REFERENCES orgs (name) ON DELETE CASCADE,
    operator TEXT COLLATE "C" NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    role TEXT COLLATE "C" NOT NULL, added_at TEXT COLLATE "C" NOT NULL, PRIMARY KEY (org, operator)
);
CREATE INDEX org_members_of_operator ON org_members (operator);
CREATE TABLE teams (
    org TEXT COLLATE "C" NOT NULL REFERENCES orgs (name) ON DELETE CASCADE, name TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL, PRIMARY KEY (org, name)
);
CREATE TABLE team_members (
    org TEXT COLLATE "C" NOT NULL, team TEXT COLLATE "C" NOT NULL, operator TEXT COLLATE "C" NOT NULL,
    added_at TEXT COLLATE "C" NOT NULL, PRIMARY KEY (org, team, operator),
    FOREIGN KEY (org, team) REFERENCES teams (org, name) ON DELETE CASCADE,
    FOREIGN KEY (org, operator) REFERENCES org_members (org, operator) ON DELETE CASCADE
);
CREATE TABLE project_operators (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name), org TEXT COLLATE "C" NOT NULL,
    operator TEXT COLLATE "C" NOT NULL, role TEXT COLLATE "C" NOT NULL, added_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, operator),
    FOREIGN KEY (org, operator) REFERENCES org_members (org, operator) ON DELETE CASCADE
);
CREATE TABLE project_teams (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name), org TEXT COLLATE "C" NOT NULL, team TEXT COLLATE "C" NOT NULL,
    role TEXT COLLATE "C" NOT NULL, added_at TEXT COLLATE "C" NOT NULL, PRIMARY KEY (project, team),
    FOREIGN KEY (org, team) REFERENCES teams (org, name) ON DELETE CASCADE
);
INSERT INTO orgs (name, created_at)
    VALUES ('default', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'));
-- Without a reference, as on SQLite: the Hub looks itself.
ALTER TABLE projects ADD COLUMN org TEXT COLLATE "C" NOT NULL DEFAULT 'default';
CREATE INDEX projects_of_org ON projects (org);
INSERT INTO operators (id, name, created_at) SELECT id, 'first operator', created_at FROM operator_tokens;
INSERT INTO org_members (org, operator, role, added_at) SELECT 'default', id, 'owner', created_at FROM operator_tokens;
