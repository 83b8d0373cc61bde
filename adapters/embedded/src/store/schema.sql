-- Payments, their timelines, the outbox, idempotency rows and API keys.
-- Times are milliseconds since 1970; amounts are minor units; nested values are JSON.

CREATE TABLE payments (
    id TEXT PRIMARY KEY NOT NULL,
    merchant TEXT NOT NULL,
    live INTEGER NOT NULL CHECK (live IN (0, 1)),
    status TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    fence INTEGER NOT NULL,
    event_seq INTEGER NOT NULL,
    minor INTEGER NOT NULL CHECK (minor > 0),
    currency TEXT NOT NULL,
    source TEXT NOT NULL,
    reference TEXT,
    email TEXT NOT NULL,
    metadata TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    shard INTEGER NOT NULL,
    due_ms INTEGER,
    redrives INTEGER NOT NULL,
    archive_key TEXT NOT NULL,
    archive_sha256 TEXT NOT NULL,
    archive_bytes INTEGER NOT NULL,
    lease TEXT,
    attempt TEXT,
    charge TEXT,
    failure TEXT,
    dead TEXT,
    refunds TEXT NOT NULL,
    refundable_minor INTEGER NOT NULL CHECK (refundable_minor BETWEEN 0 AND minor)
) STRICT;
CREATE INDEX payments_list ON payments (merchant, live, id);
CREATE INDEX payments_due ON payments (shard, due_ms, id) WHERE due_ms IS NOT NULL;

-- How many payments there are of each status, kept by triggers: counting would cost a scan.
CREATE TABLE status_counts (
    status TEXT PRIMARY KEY NOT NULL,
    payments INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER payments_counted AFTER INSERT ON payments BEGIN
    INSERT INTO status_counts (status, payments) VALUES (NEW.status, 1)
        ON CONFLICT (status) DO UPDATE SET payments = payments + 1;
END;
CREATE TRIGGER payments_recounted AFTER UPDATE OF status ON payments WHEN OLD.status <> NEW.status BEGIN
    UPDATE status_counts SET payments = payments - 1 WHERE status = OLD.status;
    INSERT INTO status_counts (status, payments) VALUES (NEW.status, 1)
        ON CONFLICT (status) DO UPDATE SET payments = payments + 1;
END;
CREATE TRIGGER payments_discounted AFTER DELETE ON payments BEGIN
    UPDATE status_counts SET payments = payments - 1 WHERE status = OLD.status;
END;

CREATE TABLE events (
    payment TEXT NOT NULL REFERENCES payments (id),
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    version INTEGER NOT NULL,
    detail TEXT NOT NULL,
    once TEXT,
    PRIMARY KEY (payment, seq)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX events_once ON events (payment, once) WHERE once IS NOT NULL;

-- Rows that are done are deleted: what they told stands in the timeline.
CREATE TABLE outbox (
    id TEXT PRIMARY KEY NOT NULL,
    payment TEXT NOT NULL REFERENCES payments (id),
    shard INTEGER NOT NULL,
    version INTEGER NOT NULL,
    kind TEXT NOT NULL,
    refund TEXT,
    payload TEXT,
    at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_pending ON outbox (shard, at_ms);
CREATE INDEX outbox_payment ON outbox (payment);

CREATE TABLE idempotency (
    merchant TEXT NOT NULL,
    live INTEGER NOT NULL,
    route TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    payment TEXT NOT NULL,
    status INTEGER NOT NULL,
    response TEXT NOT NULL,
    expires_ms INTEGER NOT NULL,
    PRIMARY KEY (merchant, live, route, key)
) STRICT;
CREATE INDEX idempotency_expires ON idempotency (expires_ms);

CREATE TABLE api_keys (
    hash TEXT PRIMARY KEY NOT NULL,
    prefix TEXT NOT NULL,
    merchant TEXT NOT NULL,
    live INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) STRICT;
