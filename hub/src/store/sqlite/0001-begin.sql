-- The tables that the Hub began with.
CREATE TABLE projects (name TEXT PRIMARY KEY, created_at TEXT NOT NULL) STRICT;
CREATE TABLE envs (
    project TEXT NOT NULL REFERENCES projects (name), name TEXT NOT NULL, created_at TEXT NOT NULL,
    PRIMARY KEY (project, name)
) STRICT;
CREATE TABLE connections (
    project TEXT NOT NULL, env TEXT NOT NULL, name TEXT NOT NULL, engine TEXT NOT NULL,
    url BLOB NOT NULL, admin_url BLOB, masked TEXT NOT NULL, updated_at TEXT NOT NULL,
    PRIMARY KEY (project, env, name), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
CREATE TABLE secrets (
    project TEXT NOT NULL, env TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL, updated_at TEXT NOT NULL,
    PRIMARY KEY (project, env, name), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
CREATE TABLE api_keys (
    id TEXT PRIMARY KEY, project TEXT NOT NULL, env TEXT NOT NULL, name TEXT NOT NULL, hash TEXT NOT NULL, roles TEXT NOT NULL,
    created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT,
    FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
CREATE INDEX api_keys_of_env ON api_keys (project, env);
CREATE TABLE service_tokens (id TEXT PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL) STRICT;
CREATE TABLE service_token_envs (
    token TEXT NOT NULL REFERENCES service_tokens (id) ON DELETE CASCADE, project TEXT NOT NULL, env TEXT NOT NULL,
    PRIMARY KEY (token, project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
CREATE TABLE operator_tokens (id TEXT PRIMARY KEY, hash TEXT NOT NULL UNIQUE, created_at TEXT NOT NULL) STRICT;
CREATE TABLE signing_keys (id TEXT PRIMARY KEY, public TEXT NOT NULL, private BLOB NOT NULL, created_at TEXT NOT NULL) STRICT;
CREATE TABLE project_blobs (
    project TEXT NOT NULL REFERENCES projects (name), digest TEXT NOT NULL, size_bytes INTEGER NOT NULL, created_at TEXT NOT NULL,
    PRIMARY KEY (project, digest)
) STRICT;
CREATE TABLE releases (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, project TEXT NOT NULL REFERENCES projects (name),
    digest TEXT NOT NULL, manifest TEXT NOT NULL, envelope TEXT NOT NULL, author TEXT NOT NULL, created_at TEXT NOT NULL,
    UNIQUE (project, digest)
) STRICT;
CREATE TABLE release_blobs (
    release TEXT NOT NULL REFERENCES releases (id), project TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (project, digest, release)
) STRICT;
CREATE TABLE pointers (
    project TEXT NOT NULL, env TEXT NOT NULL, release TEXT NOT NULL REFERENCES releases (id), digest TEXT NOT NULL,
    sequence INTEGER NOT NULL, envelope TEXT NOT NULL, issued_at TEXT NOT NULL,
    PRIMARY KEY (project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
CREATE TABLE bridge_reports (
    bridge TEXT NOT NULL, project TEXT NOT NULL, env TEXT NOT NULL, version TEXT NOT NULL, report TEXT NOT NULL, reported_at TEXT NOT NULL,
    PRIMARY KEY (project, env, bridge), FOREIGN KEY (project, env) REFERENCES envs (project, name)
) STRICT;
-- `entry` is canonical JSON with the hash of the entry before; `hash` is its SHA-256.
CREATE TABLE audit (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
PRAGMA user_version = 1;
