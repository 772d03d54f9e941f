-- Users that the Hub has made, or is about to make, on the servers of connections. `place` says which server and database; `powers` is
-- canonical JSON. Not there yet while `made_at` is null, not needed any more once `retired_at` is set. `address` is the sealed URL
-- by which one is dropped whose connection is gone or leads elsewhere.
CREATE TABLE guest_logins (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name TEXT COLLATE "C" NOT NULL UNIQUE,
    project TEXT COLLATE "C" NOT NULL, env TEXT COLLATE "C" NOT NULL, connection TEXT COLLATE "C" NOT NULL,
    engine TEXT COLLATE "C" NOT NULL, place TEXT COLLATE "C" NOT NULL, powers TEXT COLLATE "C" NOT NULL,
    password BYTEA NOT NULL, created_at TEXT COLLATE "C" NOT NULL, made_at TEXT COLLATE "C", retired_at TEXT COLLATE "C",
    address BYTEA, FOREIGN KEY (project, env) REFERENCES envs (project, name)
);
CREATE INDEX guest_logins_of_env ON guest_logins (project, env);
