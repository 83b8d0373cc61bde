-- Version 1. There is deliberately nothing that keeps a payment from being charged twice: a real
-- provider does not know what a payment is.

CREATE TABLE charges (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    payment  TEXT    NOT NULL,
    key      TEXT    NOT NULL,
    minor    INTEGER NOT NULL CHECK (minor > 0),
    currency TEXT    NOT NULL,
    brand    TEXT    NOT NULL,
    last4    TEXT    NOT NULL,
    at_ms    INTEGER NOT NULL
) STRICT;
CREATE INDEX charges_payment ON charges (payment);

CREATE TABLE declines (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    payment TEXT    NOT NULL,
    code    TEXT    NOT NULL,
    at_ms   INTEGER NOT NULL
) STRICT;

-- What was answered to a key; pruned after a day.
CREATE TABLE answers (
    key       TEXT PRIMARY KEY,
    payment   TEXT    NOT NULL,
    minor     INTEGER NOT NULL,
    currency  TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    charge_id INTEGER REFERENCES charges (id),
    code      TEXT,
    message   TEXT,
    at_ms     INTEGER NOT NULL,
    CHECK ((charge_id IS NULL) = (code IS NOT NULL) AND (code IS NULL) = (message IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_at ON answers (at_ms);

CREATE TABLE refunds (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    refund    TEXT    NOT NULL UNIQUE,
    charge_id INTEGER NOT NULL REFERENCES charges (id),
    minor     INTEGER NOT NULL CHECK (minor > 0),
    at_ms     INTEGER NOT NULL
) STRICT;
CREATE INDEX refunds_charge ON refunds (charge_id);

-- How often a key of the flaky token has failed so far.
CREATE TABLE failures (key TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE settings (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO settings (name, value) VALUES ('poison_fixed', 0);
