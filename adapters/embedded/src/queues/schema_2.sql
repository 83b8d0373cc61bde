-- Whole queues that are moved: those under way go on whenever somebody asks for them.
CREATE TABLE redrives (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source TEXT NOT NULL REFERENCES queues (name),
    target TEXT NOT NULL REFERENCES queues (name),
    status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'canceled')),
    rate INTEGER,
    planned INTEGER NOT NULL,
    moved INTEGER NOT NULL DEFAULT 0,
    started_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX redrives_running ON redrives (source) WHERE status = 'running';
