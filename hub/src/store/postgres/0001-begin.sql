-- The tables that the Hub began with, as on SQLite. Texts are compared by their bytes, as there, whatever the database's collation.
CREATE TABLE projects (name TEXT COLLATE "C" PRIMARY KEY, created_at TEXT COLLATE "C" NOT NULL);
CREATE TABLE envs (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name), name TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, name)
);
CREATE TABLE connections (
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL,
    engine TEXT COLLATE "C" NOT NULL, url BYTEA NOT NULL, admin_url BYTEA, masked TEXT COLLATE "C" NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, env, name), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
CREATE TABLE secrets (
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL, name TEXT COLLATE "C" NOT NULL, value BYTEA NOT NULL,
    updated_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, env, name), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
CREATE TABLE api_keys (
    id TEXT COLLATE "C" PRIMARY KEY, project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL, hash TEXT COLLATE "C" NOT NULL, roles TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL, expires_at TEXT COLLATE "C", revoked_at TEXT COLLATE "C",
    FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
CREATE INDEX api_keys_of_env ON api_keys (project, env);
CREATE TABLE service_tokens (
    id TEXT COLLATE "C" PRIMARY KEY, name TEXT COLLATE "C" NOT NULL, hash TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at TEXT COLLATE "C" NOT NULL
);
CREATE TABLE service_token_envs (
    token TEXT COLLATE "C" NOT NULL REFERENCES service_tokens (id) ON DELETE CASCADE, project TEXT COLLATE "C" NOT NULL,
    env TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (token, project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
CREATE TABLE operator_tokens (
    id TEXT COLLATE "C" PRIMARY KEY, hash TEXT COLLATE "C" NOT NULL UNIQUE, created_at TEXT COLLATE "C" NOT NULL
);
CREATE TABLE signing_keys (
    id TEXT COLLATE "C" PRIMARY KEY, public TEXT COLLATE "C" NOT NULL, private BYTEA NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL
);
CREATE TABLE project_blobs (
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name), digest TEXT COLLATE "C" NOT NULL, size_bytes BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, digest)
);
CREATE TABLE releases (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id TEXT COLLATE "C" NOT NULL UNIQUE,
    project TEXT COLLATE "C" NOT NULL REFERENCES projects (name), digest TEXT COLLATE "C" NOT NULL,
    manifest TEXT COLLATE "C" NOT NULL, envelope TEXT COLLATE "C" NOT NULL, author TEXT COLLATE "C" NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    UNIQUE (project, digest)
);
CREATE TABLE release_blobs (
    release TEXT COLLATE "C" NOT NULL REFERENCES releases (id), project TEXT COLLATE "C" NOT NULL,
    digest TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, digest, release)
);
CREATE TABLE pointers (
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL,
    release TEXT COLLATE "C" NOT NULL REFERENCES releases (id), digest TEXT COLLATE "C" NOT NULL, sequence BIGINT NOT NULL,
    envelope TEXT COLLATE "C" NOT NULL, issued_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, env), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
CREATE TABLE bridge_reports (
    bridge TEXT COLLATE "C" NOT NULL, project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL,
    version TEXT COLLATE "C" NOT NULL, report TEXT COLLATE "C" NOT NULL, reported_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (project, env, bridge), FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
-- `entry` is canonical JSON with the hash of the entry before; `hash` is its SHA-256.
CREATE TABLE audit (seq BIGINT PRIMARY KEY, entry TEXT COLLATE "C" NOT NULL, hash TEXT COLLATE "C" NOT NULL);
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$;
CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit EXECUTE FUNCTION audit_is_append_only();
CREATE TRIGGER audit_is_not_deleted BEFORE DELETE OR TRUNCATE ON audit EXECUTE FUNCTION audit_is_append_only();
-- Components. SQLite's Hub has them in files; here, where every Hub finds them.
CREATE TABLE blob_chunks (
    digest TEXT COLLATE "C" NOT NULL, number BIGINT NOT NULL, bytes BYTEA NOT NULL,
    PRIMARY KEY (digest, number)
);
-- WebAssembly is not worth the time that compressing takes here.
ALTER TABLE blob_chunks ALTER COLUMN bytes SET STORAGE EXTERNAL;
