-- What operators show: sessions with their tokens, personal tokens, recovery codes; and invites. Of every secret only the hash.
CREATE TABLE sessions (
    id TEXT PRIMARY KEY, operator TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE, second_factor INTEGER NOT NULL,
    created_at TEXT NOT NULL, expires_at TEXT NOT NULL, ended_at TEXT
) STRICT;
CREATE INDEX sessions_of_operator ON sessions (operator);
CREATE TABLE session_tokens (
    hash TEXT PRIMARY KEY, session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE, kind TEXT NOT NULL,
    expires_at TEXT NOT NULL, used_at TEXT
) STRICT;
CREATE INDEX session_tokens_of_session ON session_tokens (session);
CREATE TABLE personal_tokens (
    id TEXT PRIMARY KEY, operator TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE, name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE, level TEXT NOT NULL, second_factor INTEGER NOT NULL, created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL, last_used_at TEXT, revoked_at TEXT
) STRICT;
CREATE INDEX personal_tokens_of_operator ON personal_tokens (operator);
-- Without a row the token is for all that its operator may; an env of '*' is every env of the project, and the project itself.
CREATE TABLE personal_token_envs (
    token TEXT NOT NULL REFERENCES personal_tokens (id) ON DELETE CASCADE, project TEXT NOT NULL, env TEXT NOT NULL,
    PRIMARY KEY (token, project, env)
) STRICT;
CREATE TABLE recovery_codes (
    operator TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE, hash TEXT NOT NULL, PRIMARY KEY (operator, hash)
) STRICT;
CREATE TABLE invites (
    id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, org TEXT NOT NULL REFERENCES orgs (name) ON DELETE CASCADE,
    org_role TEXT NOT NULL, project TEXT, project_role TEXT, email TEXT NOT NULL, invited_by TEXT NOT NULL,
    created_at TEXT NOT NULL, expires_at TEXT NOT NULL, used_at TEXT
) STRICT;
CREATE INDEX invites_of_org ON invites (org);
ALTER TABLE envs ADD COLUMN protected INTEGER NOT NULL DEFAULT 0;
