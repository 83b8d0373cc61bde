-- Version 1.
--
-- Balance is checked by deferred constraint triggers, that is at COMMIT, against the number of
-- postings that the transaction was made with: so a transaction that stands can get no more, and
-- none can be missing. Nothing is ever changed or deleted. Names sort by byte (COLLATE "C"), so
-- that pages come in the same order whatever the database's locale is.

CREATE TABLE ledger_transactions (
    id            bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment       text     COLLATE "C" NOT NULL,
    kind          text     COLLATE "C" NOT NULL,
    reference     text     COLLATE "C" NOT NULL,
    merchant      text     NOT NULL,
    live          boolean  NOT NULL,
    currency      text     NOT NULL CHECK (length(currency) = 3),
    at_ms         bigint   NOT NULL,
    posting_count integer  NOT NULL CONSTRAINT ledger_two_postings CHECK (posting_count >= 2),
    UNIQUE (payment, kind, reference),
    UNIQUE (id, currency)
);

CREATE TABLE ledger_postings (
    transaction_id bigint  NOT NULL,
    position       integer NOT NULL,
    currency       text    NOT NULL,
    account        text    NOT NULL CHECK (account <> ''),
    minor          bigint  NOT NULL CHECK (minor <> 0),
    PRIMARY KEY (transaction_id, position),
    FOREIGN KEY (transaction_id, currency) REFERENCES ledger_transactions (id, currency)
);

CREATE FUNCTION ledger_check_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint;
    wanted  integer;
    found   integer;
BEGIN
    IF TG_TABLE_NAME = 'ledger_transactions' THEN
        checked := NEW.id;
    ELSE
        checked := NEW.transaction_id;
    END IF;
    SELECT posting_count INTO wanted FROM ledger_transactions WHERE id = checked;
    SELECT count(*) INTO found FROM ledger_postings WHERE transaction_id = checked;
    IF wanted IS DISTINCT FROM found THEN
        RAISE EXCEPTION 'the transaction was made with % postings and has %', wanted, found USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM ledger_postings WHERE transaction_id = checked GROUP BY currency HAVING sum(minor) <> 0) THEN
        RAISE EXCEPTION 'the postings do not sum to zero' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER ledger_transactions_balance AFTER INSERT ON ledger_transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_balance();
CREATE CONSTRAINT TRIGGER ledger_postings_balance AFTER INSERT ON ledger_postings
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_check_balance();

CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is never changed: % on % refused', TG_OP, TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER ledger_transactions_append BEFORE UPDATE OR DELETE ON ledger_transactions
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_postings_append BEFORE UPDATE OR DELETE ON ledger_postings
    FOR EACH ROW EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_transactions_keep BEFORE TRUNCATE ON ledger_transactions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER ledger_postings_keep BEFORE TRUNCATE ON ledger_postings
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();

CREATE TABLE ledger_schema (version integer NOT NULL);
INSERT INTO ledger_schema (version) VALUES (1);
