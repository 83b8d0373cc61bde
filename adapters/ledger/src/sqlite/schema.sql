-- Version 1.
--
-- A transaction can only commit with its seal (a foreign key that is checked at COMMIT), and the
-- seal is only given to postings that balance. After the seal nothing can be added, changed or
-- deleted. The unique name is what makes posting twice one transaction.

CREATE TABLE transactions (
    id        INTEGER PRIMARY KEY REFERENCES seals (transaction_id) DEFERRABLE INITIALLY DEFERRED,
    payment   TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    reference TEXT    NOT NULL,
    merchant  TEXT    NOT NULL,
    live      INTEGER NOT NULL CHECK (live IN (0, 1)),
    currency  TEXT    NOT NULL CHECK (length(currency) = 3),
    at_ms     INTEGER NOT NULL,
    UNIQUE (payment, kind, reference)
) STRICT;

CREATE TABLE postings (
    transaction_id INTEGER NOT NULL REFERENCES transactions (id),
    position       INTEGER NOT NULL,
    account        TEXT    NOT NULL CHECK (account <> ''),
    minor          INTEGER NOT NULL CHECK (minor <> 0),
    PRIMARY KEY (transaction_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE seals (
    transaction_id INTEGER PRIMARY KEY REFERENCES transactions (id)
) STRICT;

-- High and low halves are summed apart, so that no sum overflows.
CREATE TRIGGER seals_balance BEFORE INSERT ON seals BEGIN
    SELECT RAISE(ABORT, 'the transaction has fewer than two postings')
    WHERE (SELECT count(*) FROM postings WHERE transaction_id = NEW.transaction_id) < 2;
    SELECT RAISE(ABORT, 'the postings do not sum to zero')
    WHERE EXISTS (
        SELECT 1 FROM (
            SELECT sum(minor >> 32) AS high, sum(minor & 4294967295) AS low
            FROM postings WHERE transaction_id = NEW.transaction_id
        )
        WHERE low % 4294967296 <> 0 OR high + low / 4294967296 <> 0
    );
END;

CREATE TRIGGER postings_sealed BEFORE INSERT ON postings
WHEN EXISTS (SELECT 1 FROM seals WHERE transaction_id = NEW.transaction_id)
BEGIN SELECT RAISE(ABORT, 'the transaction is sealed: postings cannot be added'); END;

-- INSERT OR REPLACE deletes without asking the triggers below.
CREATE TRIGGER transactions_replace BEFORE INSERT ON transactions
WHEN EXISTS (SELECT 1 FROM transactions WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'the ledger is never changed: REPLACE refused'); END;

CREATE TRIGGER transactions_update BEFORE UPDATE ON transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is never changed: UPDATE refused'); END;
CREATE TRIGGER transactions_delete BEFORE DELETE ON transactions
BEGIN SELECT RAISE(ABORT, 'the ledger is never changed: DELETE refused'); END;
CREATE TRIGGER postings_update BEFORE UPDATE ON postings
BEGIN SELECT RAISE(ABORT, 'the ledger is never changed: UPDATE refused'); END;
CREATE TRIGGER postings_delete BEFORE DELETE ON postings
BEGIN SELECT RAISE(ABORT, 'the ledger is never changed: DELETE refused'); END;
CREATE TRIGGER seals_update BEFORE UPDATE ON seals
BEGIN SELECT RAISE(ABORT, 'the ledger is never changed: UPDATE refused'); END;
CREATE TRIGGER seals_delete BEFORE DELETE ON seals
BEGIN SELECT RAISE(ABORT, 'the ledger is never changed: DELETE refused'); END;
