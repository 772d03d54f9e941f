-- Who works with the Hub, in which orgs and teams, and as what. What there was before belongs to the first org, and the operator of
-- the first token owns it.
CREATE TABLE operators (
    id TEXT PRIMARY KEY, email TEXT UNIQUE, name TEXT NOT NULL, password TEXT, totp BLOB, totp_confirmed_at TEXT,
    totp_step INTEGER NOT NULL DEFAULT 0, created_at TEXT NOT NULL, disabled_at TEXT
) STRICT;
CREATE TABLE orgs (name TEXT PRIMARY KEY, created_at TEXT NOT NULL) STRICT;
CREATE TABLE org_members (
    org TEXT NOT NULL REFERENCES orgs (name) ON DELETE CASCADE, operator TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    role TEXT NOT NULL, added_at TEXT NOT NULL, PRIMARY KEY (org, operator)
) STRICT;
CREATE INDEX org_members_of_operator ON org_members (operator);
CREATE TABLE teams (
    org TEXT NOT NULL REFERENCES orgs (name) ON DELETE CASCADE, name TEXT NOT NULL, created_at TEXT NOT NULL, PRIMARY KEY (org, name)
) STRICT;
CREATE TABLE team_members (
    org TEXT NOT NULL, team TEXT NOT NULL, operator TEXT NOT NULL, added_at TEXT NOT NULL, PRIMARY KEY (org, team, operator),
    FOREIGN KEY (org, team) REFERENCES teams (org, name) ON DELETE CASCADE,
    FOREIGN KEY (org, operator) REFERENCES org_members (org, operator) ON DELETE CASCADE
) STRICT;
CREATE TABLE project_operators (
    project TEXT NOT NULL REFERENCES projects (name), org TEXT NOT NULL, operator TEXT NOT NULL, role TEXT NOT NULL,
    added_at TEXT NOT NULL, PRIMARY KEY (project, operator),
    FOREIGN KEY (org, operator) REFERENCES org_members (org, operator) ON DELETE CASCADE
) STRICT;
CREATE TABLE project_teams (
    project TEXT NOT NULL REFERENCES projects (name), org TEXT NOT NULL, team TEXT NOT NULL, role TEXT NOT NULL,
    added_at TEXT NOT NULL, PRIMARY KEY (project, team),
    FOREIGN KEY (org, team) REFERENCES teams (org, name) ON DELETE CASCADE
) STRICT;
INSERT INTO orgs (name, created_at) VALUES ('default', strftime('%Y-%m-%dT%H:%M:%fZ'));
-- A column that refers to a table cannot be added with a value; the Hub looks itself.
ALTER TABLE projects ADD COLUMN org TEXT NOT NULL DEFAULT 'default';
CREATE INDEX projects_of_org ON projects (org);
INSERT INTO operators (id, name, created_at) SELECT id, 'first operator', created_at FROM operator_tokens;
INSERT INTO org_members (org, operator, role, added_at) SELECT 'default', id, 'owner', created_at FROM operator_tokens;
