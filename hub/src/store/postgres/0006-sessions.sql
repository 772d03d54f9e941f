-- What operators show: sessions with their tokens, personal tokens, recovery codes; and invites. Of every secret only the hash.
CREATE TABLE sessions (
    id TEXT COLLATE "C" PRIMARY KEY, operator TEXT COLLATE "C" NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    second_factor BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL, expires_at TEXT COLLATE "C" NOT NULL, ended_at TEXT COLLATE "C"
);
CREATE INDEX sessions_of_operator ON sessions (operator);
CREATE TABLE session_tokens (
    hash TEXT COLLATE "C" PRIMARY KEY, session TEXT COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    kind TEXT COLLATE "C" NOT NULL,
    expires_at TEXT COLLATE "C" NOT NULL, used_at TEXT COLLATE "C"
);
CREATE INDEX session_tokens_of_session ON session_tokens (session);
CREATE TABLE personal_tokens (
    id TEXT COLLATE "C" PRIMARY KEY, operator TEXT COLLATE "C" NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    name TEXT COLLATE "C" NOT NULL,
    hash TEXT COLLATE "C" NOT NULL UNIQUE, level TEXT COLLATE "C" NOT NULL, second_factor BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    expires_at TEXT COLLATE "C" NOT NULL, last_used_at TEXT COLLATE "C", revoked_at TEXT COLLATE "C"
);
CREATE INDEX personal_tokens_of_operator ON personal_tokens (operator);
-- Without a row the token is for all that its operator may; an env of '*' is every env of the project, and the project itself.
CREATE TABLE personal_token_envs (
    token TEXT COLLATE "C" NOT NULL REFERENCES personal_tokens (id) ON DELETE CASCADE, project TEXT COLLATE "C" NOT NULL,
    env TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (token, project, env)
);
CREATE TABLE recovery_codes (
    operator TEXT COLLATE "C" NOT NULL REFERENCES operators (id) ON DELETE CASCADE, hash TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (operator, hash)
);
CREATE TABLE invites (
    id TEXT COLLATE "C" PRIMARY KEY, hash TEXT COLLATE "C" NOT NULL UNIQUE,
    org TEXT COLLATE "C" NOT NULL REFERENCES orgs (name) ON DELETE CASCADE,
    org_role TEXT COLLATE "C" NOT NULL, project TEXT COLLATE "C", project_role TEXT COLLATE "C",
    email TEXT COLLATE "C" NOT NULL, invited_by TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL, expires_at TEXT COLLATE "C" NOT NULL, used_at TEXT COLLATE "C"
);
CREATE INDEX invites_of_org ON invites (org);
ALTER TABLE envs ADD COLUMN protected BIGINT NOT NULL DEFAULT 0;
