-- Components that no project has any more, whose bytes are there still: a backup may be reading them.
CREATE TABLE removed_blobs (digest TEXT COLLATE "C" PRIMARY KEY, removed_at TEXT COLLATE "C" NOT NULL);
CREATE INDEX moves_of_release ON pointer_moves (release);
CREATE INDEX blobs_of_release ON release_blobs (release);
