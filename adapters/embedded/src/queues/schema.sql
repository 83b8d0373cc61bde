-- The queues of one environment. Times are milliseconds since 1970.

CREATE TABLE queues (
    name TEXT PRIMARY KEY NOT NULL,
    fifo INTEGER NOT NULL,
    dlq TEXT REFERENCES queues (name),
    max_receives INTEGER,
    retention_ms INTEGER NOT NULL,
    CHECK ((dlq IS NULL) = (max_receives IS NULL))
) STRICT;

-- A message is visible from `visible_ms` on. Before that it is in flight if it has a receipt,
-- and delayed if it has none. `receipt` belongs to the last receive alone.
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL REFERENCES queues (name),
    message_id TEXT NOT NULL UNIQUE,
    body TEXT NOT NULL,
    attributes TEXT NOT NULL,
    sent_ms INTEGER NOT NULL,
    visible_ms INTEGER NOT NULL,
    receives INTEGER NOT NULL DEFAULT 0,
    first_received_ms INTEGER,
    receipt INTEGER,
    message_group TEXT,
    dedupe TEXT
) STRICT;
CREATE INDEX messages_visible ON messages (queue, visible_ms, seq);
-- Holds all that counting needs, so that it reads no bodies.
CREATE INDEX messages_sent ON messages (queue, sent_ms, visible_ms, receipt);
CREATE INDEX messages_order ON messages (queue, seq);
CREATE INDEX messages_group ON messages (queue, message_group, visible_ms) WHERE message_group IS NOT NULL;

-- Dedupe ids of FIFO queues, kept for five minutes whatever becomes of their messages.
CREATE TABLE dedupes (
    queue TEXT NOT NULL,
    dedupe TEXT NOT NULL,
    message_id TEXT NOT NULL,
    until_ms INTEGER NOT NULL,
    PRIMARY KEY (queue, dedupe)
) STRICT, WITHOUT ROWID;
CREATE INDEX dedupes_until ON dedupes (until_ms);
