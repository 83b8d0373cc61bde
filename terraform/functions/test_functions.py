"""Tests of the functions. Those that need PostgreSQL take the one of PAYOPS_LIVE_POSTGRES_URL:

    live/run --require postgres -- python3 terraform/functions/test_functions.py
"""
import base64
import hashlib
import json
import logging
import os
import pathlib
import secrets
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import types
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.dont_write_bytecode = True
sys.modules.setdefault("boto3", types.ModuleType("boto3"))

import postgres  # noqa: E402
import rotate  # noqa: E402
import validate  # noqa: E402

SERVER = os.environ.get("PAYOPS_LIVE_POSTGRES_URL")
SCHEMA = pathlib.Path(__file__).parents[2] / "adapters/ledger/src/postgres/schema.sql"


class NotFound(Exception):
    pass


class SecretsManager:
    """Versions and their stages, as Secrets Manager moves them."""

    exceptions = types.SimpleNamespace(ResourceNotFoundException=NotFound)

    def __init__(self):
        self.secrets = {}

    def put(self, name, version, text, stages):
        stages = set(stages)
        versions = self.secrets.setdefault(name, {})
        for other in versions.values():
            other["stages"] -= stages
        versions[version] = {"text": text, "stages": stages}

    def begin(self, name, version):
        self.secrets.setdefault(name, {})[version] = {"text": None, "stages": {"AWSPENDING"}}

    def describe_secret(self, SecretId):
        versions = self.secrets[SecretId]
        return {"Name": SecretId, "RotationEnabled": True, "VersionIdsToStages": {v: sorted(s["stages"]) for v, s in versions.items()}}

    def get_secret_value(self, SecretId, VersionStage, VersionId=None):
        for version, found in self.secrets.get(SecretId, {}).items():
            if VersionStage in found["stages"] and VersionId in (None, version) and found["text"] is not None:
                return {"SecretString": found["text"]}
        raise NotFound

    def put_secret_value(self, SecretId, ClientRequestToken, SecretString, VersionStages):
        self.put(SecretId, ClientRequestToken, SecretString, VersionStages)

    def update_secret_version_stage(self, SecretId, VersionStage, MoveToVersionId, RemoveFromVersionId=None):
        versions = self.secrets[SecretId]
        if RemoveFromVersionId is not None:
            versions[RemoveFromVersionId]["stages"].remove(VersionStage)
            versions[RemoveFromVersionId]["stages"].add("AWSPREVIOUS")
        versions[MoveToVersionId]["stages"] = {VersionStage}

    def current(self, name):
        return self.get_secret_value(name, "AWSCURRENT")["SecretString"]


class Scram(unittest.TestCase):
    def test_the_exchange_of_rfc_7677(self):
        client = postgres.Scram("pencil")
        client.nonce = "rOprNGfwEbeRWgbNEkqO"
        client.bare = f"n=user,r={client.nonce}"
        final = client.final(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        self.assertTrue(final.endswith(b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
        client.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
        self.assertTrue(client.checked)

    def test_a_server_that_does_not_know_the_password_is_refused(self):
        client = postgres.Scram("pencil")
        client.final(f"r={client.nonce}x,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096".encode())
        with self.assertRaisesRegex(postgres.DatabaseError, "does not know the password"):
            client.check(b"v=" + base64.b64encode(bytes(32)))

    def test_a_challenge_for_somebody_else_or_of_few_rounds_is_refused(self):
        client = postgres.Scram("pencil")
        for challenge in ("r=other,s=AAAA,i=4096", f"r={client.nonce}x,s=AAAA,i=1"):
            with self.assertRaises(postgres.DatabaseError):
                client.final(challenge.encode())

    def test_a_verifier_does_not_hold_the_password(self):
        text = postgres.verifier("pencil", salt=base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
        stored = hashlib.sha256(postgres.keys(hashlib.pbkdf2_hmac("sha256", b"pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096))[0]).digest()
        self.assertIn(base64.b64encode(stored).decode(), text)
        self.assertNotIn("pencil", text)


class Server(threading.Thread):
    """A server with a certificate of its own making, which lets everybody in."""

    def __init__(self, folder):
        super().__init__(daemon=True)
        self.certificate, key = folder / "server.pem", folder / "server.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-keyout", key, "-out", self.certificate,
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                client.recv(8)
                client.sendall(b"S")
                try:
                    with self.context.wrap_socket(client, server_side=True) as safe:
                        safe.recv(4096)
                        safe.sendall(b"R" + struct.pack("!II", 8, 0) + b"Z" + struct.pack("!I", 5) + b"I")
                except (ssl.SSLError, ConnectionError):
                    pass


class Tls(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server = Server(pathlib.Path(folder.name))
        self.addCleanup(self.server.listener.close)

    def connect(self, context):
        return postgres.Connection("localhost", self.server.port, "payops", "anna", "secret", context)

    def test_a_certificate_that_nobody_vouches_for_is_refused(self):
        with self.assertRaises(ssl.SSLCertVerificationError):
            self.connect(ssl.create_default_context())

    def test_a_server_that_asks_for_no_password_is_refused(self):
        with self.assertRaisesRegex(postgres.DatabaseError, "did not authenticate itself"):
            self.connect(ssl.create_default_context(cafile=self.server.certificate))


class Names(unittest.TestCase):
    def test_logins_take_turns(self):
        self.assertEqual(rotate.other_login("payops_services", None), "payops_services_a")
        self.assertEqual(rotate.other_login("payops_services", "postgres://payops_services_a:x@h/d"), "payops_services_b")
        self.assertEqual(rotate.other_login("payops_services", "postgres://payops_services_b:x@h/d"), "payops_services_a")
        self.assertEqual(rotate.other_login("payops_services", "postgres://by_hand:x@h/d"), "payops_services_a")

    def test_a_role_that_would_be_a_statement_is_refused(self):
        for name in ('x"; DROP ROLE y', "Payops", "", "a" * 64):
            with self.assertRaises(ValueError):
                postgres.identifier(name)


@unittest.skipUnless(SERVER, "PAYOPS_LIVE_POSTGRES_URL is not set")
class OnPostgres(unittest.TestCase):
    """As in RDS: the master is no superuser; it makes roles."""

    def setUp(self):
        self.admin = rotate.parse(SERVER)
        mark = secrets.token_hex(4)
        self.database, self.master, self.role = f"ledger_{mark}", f"master_{mark}", f"services_{mark}"
        password = secrets.token_urlsafe(16)
        with self.connect(self.admin["database"], self.admin["user"], self.admin["password"]) as admin:
            admin.query(f"CREATE ROLE {self.master} LOGIN CREATEROLE PASSWORD '{password}'")
            admin.query(f"CREATE DATABASE {self.database} OWNER {self.master}")
        with self.connect(self.database, self.master, password) as master:
            master.query(f"CREATE ROLE {self.role} NOLOGIN")
            master.query(f"GRANT CREATE, USAGE ON SCHEMA public TO {self.role}")
        self.secrets = SecretsManager()
        self.secrets.put("master", "1", json.dumps({
            "host": self.admin["host"], "port": self.admin["port"], "dbname": self.database, "username": self.master, "password": password,
        }), ["AWSCURRENT"])
        self.addCleanup(self.drop)

    def drop(self):
        with self.connect(self.admin["database"], self.admin["user"], self.admin["password"]) as admin:
            admin.query(f"DROP DATABASE {self.database} WITH (FORCE)")
            for role in (f"{self.role}_a", f"{self.role}_b", self.role, self.master):
                admin.query(f"DROP ROLE IF EXISTS {role}")

    def connect(self, database, user, password):
        return postgres.Connection(self.admin["host"], self.admin["port"], database, user, password, None)

    def rotation(self):
        logins = {"url": {"role": self.role, "host": self.admin["host"]}}
        return rotate.Rotation(self.secrets, {"logins": logins, "master": "master", "ca": ""}, lambda _: None, patience_s=0)

    def rotate(self, version, steps=("createSecret", "setSecret", "testSecret", "finishSecret")):
        if version not in self.secrets.secrets.get("url", {}):
            self.secrets.begin("url", version)
        for step in steps:
            self.rotation().step({"SecretId": "url", "ClientRequestToken": version, "Step": step})

    def sign_in(self, url):
        parts = rotate.parse(url)
        with self.connect(parts["database"], parts["user"], parts["password"]) as database:
            return database.query("SELECT session_user, current_user")[0]

    def test_logins_take_turns_and_the_one_before_stays_good(self):
        self.rotate("1")
        first = self.secrets.current("url")
        self.assertEqual(self.sign_in(first), [f"{self.role}_a", self.role])
        self.rotate("2")
        second = self.secrets.current("url")
        self.assertEqual(self.sign_in(second), [f"{self.role}_b", self.role])
        self.assertEqual(self.sign_in(first), [f"{self.role}_a", self.role])
        self.rotate("3")
        self.assertEqual(self.sign_in(second), [f"{self.role}_b", self.role])
        with self.assertRaises(postgres.DatabaseError) as refused:
            self.sign_in(first)
        self.assertEqual(refused.exception.code, "28P01")

    def test_what_one_login_makes_the_other_changes(self):
        self.rotate("1")
        parts = rotate.parse(self.secrets.current("url"))
        with self.connect(parts["database"], parts["user"], parts["password"]) as database:
            database.query(SCHEMA.read_text())
        self.rotate("2")
        parts = rotate.parse(self.secrets.current("url"))
        with self.connect(parts["database"], parts["user"], parts["password"]) as database:
            database.query("ALTER TABLE ledger_schema ADD COLUMN note text")

    def test_each_step_may_be_done_twice(self):
        self.rotate("1", ["createSecret", "createSecret", "setSecret", "setSecret", "testSecret", "finishSecret", "finishSecret"])
        self.assertEqual(self.sign_in(self.secrets.current("url")), [f"{self.role}_a", self.role])

    def test_a_rotation_that_ends_in_the_middle_changes_nothing(self):
        self.rotate("1")
        before = self.secrets.current("url")
        self.rotate("2", ["createSecret", "setSecret"])
        self.assertEqual(self.secrets.current("url"), before)
        self.assertEqual(self.sign_in(before), [f"{self.role}_a", self.role])

    def test_how_the_server_is_checked_stays(self):
        self.secrets.put("url", "0", "postgres://by_hand:x@h:1/d?sslmode=verify-full&sslrootcert=/etc/rds.pem", ["AWSCURRENT"])
        self.rotate("1")
        self.assertEqual(urllib.parse.urlsplit(self.secrets.current("url")).query, "sslmode=verify-full&sslrootcert=/etc/rds.pem")

    def test_a_login_of_another_role_is_not_touched(self):
        self.secrets.begin("url", "1")
        self.secrets.secrets["url"]["1"]["text"] = f"postgres://{self.master}:x@h:1/d"
        with self.assertRaisesRegex(ValueError, "is no login of"):
            self.rotation().step({"SecretId": "url", "ClientRequestToken": "1", "Step": "setSecret"})

    def test_a_wrong_password_is_an_error_with_its_code(self):
        with self.assertRaises(postgres.DatabaseError) as refused:
            self.connect(self.database, self.master, "wrong")
        self.assertEqual(refused.exception.code, "28P01")

    def validation(self):
        rds = types.SimpleNamespace(describe_db_instances=lambda DBInstanceIdentifier: {"DBInstances": [{
            "StorageEncrypted": True, "PubliclyAccessible": False, "Endpoint": {"Address": self.admin["host"], "Port": self.admin["port"]},
        }]})
        self.told, self.events = [], []
        clients = {
            "rds": rds, "secretsmanager": self.secrets, "dynamodb": None,
            "backup": types.SimpleNamespace(put_restore_validation_result=lambda **result: self.told.append(result)),
            "events": types.SimpleNamespace(put_events=lambda Entries: self.events.extend(Entries)),
        }
        return validate.Validation(clients, {"MASTER": "master", "CA_URL": "", "TABLE": "payops-test"}, lambda _: None)

    def verdict(self):
        arn = "arn:aws:rds:eu-west-1:471122334433:db:awsbackup-restore-test-1"
        self.validation().run({"restoreJobId": "job", "createdResourceArn": arn, "resourceType": "RDS"})
        return self.told[0]["ValidationStatus"], self.told[0]["ValidationStatusMessage"]

    def test_a_restored_ledger_must_have_its_tables_and_transactions_that_balance(self):
        self.assertEqual(self.verdict(), ("FAILED", "NotWhatItShouldBe: the ledger lacks ledger_transactions, ledger_postings"))
        self.assertEqual(self.events[0]["Source"], "payops.backup")
        master = json.loads(self.secrets.current("master"))
        with self.connect(self.database, self.master, master["password"]) as database:
            database.query(SCHEMA.read_text())
            self.assertEqual(self.verdict(), ("FAILED", "NotWhatItShouldBe: the ledger is empty"))
            database.query("""BEGIN;
                INSERT INTO ledger_transactions (payment, kind, reference, merchant, live, currency, at_ms, posting_count)
                    VALUES ('pay_1', 'charge', '', 'm', true, 'EUR', 1764000000000, 2);
                INSERT INTO ledger_postings VALUES (1, 0, 'EUR', 'cash', 500), (1, 1, 'EUR', 'merchant:m', -500);
                COMMIT""")
            status, message = self.verdict()
            self.assertEqual((status, message.split(",")[0]), ("SUCCESSFUL", "the newest 1 transactions balance"))
            self.assertEqual(self.events, [])
            # What the schema would never let in, as a torn page would leave it.
            database.query("ALTER TABLE ledger_postings DISABLE TRIGGER USER")
            database.query("DELETE FROM ledger_postings WHERE position = 1")
            self.assertEqual(self.verdict(), ("FAILED", "NotWhatItShouldBe: 1 of the newest 1 transactions do not balance"))

    def test_a_backup_from_before_the_last_rotation_is_signed_in_with_the_password_before(self):
        master = json.loads(self.secrets.current("master"))
        self.secrets.put("master", "2", json.dumps(master | {"password": "new"}), ["AWSCURRENT"])
        self.secrets.secrets["master"]["1"]["stages"] = {"AWSPREVIOUS"}
        self.assertEqual(self.verdict()[1], "NotWhatItShouldBe: the ledger lacks ledger_transactions, ledger_postings")


class Table:
    """A restored table and the one in use."""

    keys = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]

    def __init__(self, restored, in_use, indexes=("due", "outbox", "merchant")):
        self.items = {"restored": restored, "payops-test": in_use}
        self.indexes = {"restored": indexes, "payops-test": ("due", "outbox", "merchant")}

    def describe_table(self, TableName):
        return {"Table": {"TableStatus": "ACTIVE", "KeySchema": self.keys, "SSEDescription": {"SSEType": "KMS"},
                          "GlobalSecondaryIndexes": [{"IndexName": index} for index in self.indexes[TableName]]}}

    def scan(self, TableName, Limit):
        return {"Items": self.items[TableName][:Limit]}

    def get_item(self, TableName, Key, **_):
        found = [item for item in self.items[TableName] if all(item[key] == value for key, value in Key.items())]
        return {"Item": found[0]} if found else {}


class RestoredTable(unittest.TestCase):
    payment = {"pk": {"S": "PAY#pay_1"}, "sk": {"S": "PAY"}}
    passing = {"pk": {"S": "IDEM#1"}, "sk": {"S": "IDEM"}, "ttl": {"N": "1"}}

    def verdict(self, table):
        told = []
        clients = {"dynamodb": table, "backup": types.SimpleNamespace(put_restore_validation_result=lambda **result: told.append(result)),
                   "events": types.SimpleNamespace(put_events=lambda Entries: None)}
        validate.Validation(clients, {"TABLE": "payops-test"}, None).run({
            "restoreJobId": "job", "resourceType": "DynamoDB", "createdResourceArn": "arn:aws:dynamodb:eu-west-1:471122334433:table/restored"})
        return told[0]["ValidationStatus"], told[0]["ValidationStatusMessage"]

    def test_a_table_with_its_payments_is_good(self):
        self.assertEqual(self.verdict(Table([self.payment, self.passing], [self.payment])), ("SUCCESSFUL", "1 items compared, 3 indexes"))

    def test_what_is_missing_is_named(self):
        other = self.payment | {"pk": {"S": "PAY#pay_2"}}
        for table, message in (
            (Table([], [self.payment]), "0 items, and no payment among them"),
            (Table([self.passing], [self.payment]), "1 items, and no payment among them"),
            (Table([self.payment], [self.payment], indexes=("due",)), "the table lacks the indexes merchant, outbox"),
            (Table([self.payment, other], [self.payment]), "1 of 2 items are in the restore and not in the table in use"),
        ):
            self.assertEqual(self.verdict(table), ("FAILED", f"NotWhatItShouldBe: {message}"))

    def test_what_cannot_be_looked_at_is_not_good(self):
        self.assertEqual(self.verdict(None)[0], "FAILED")


logging.disable()


if __name__ == "__main__":
    unittest.main()
