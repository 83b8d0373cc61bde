"""Rotates the URLs by which services sign in to the ledger.

A role of the ledger has two logins, NAME_a and NAME_b, and the secret holds the URL of one of them. A rotation gives the
other a new password and makes its URL the current one: the login that pods hold stays good until the rotation after that, so none has
to restart. Both logins become the role itself at sign-in, so that what they make belongs to it.

LOGINS is a map from a secret's name to {"role": ..., "host": ...}; MASTER the secret of the master user.
"""
import json
import logging
import os
import re
import secrets
import ssl
import time
import urllib.parse
import urllib.request

import boto3

import postgres

log = logging.getLogger()
log.setLevel(logging.INFO)

# A login that was just made is on the replica within its lag.
PATIENCE_S = 120


def handler(event, _context):
    return Rotation(boto3.client("secretsmanager"), settings(os.environ), trusted).step(event)


def settings(environment):
    return {"logins": json.loads(environment["LOGINS"]), "master": environment["MASTER"], "ca": environment["CA_URL"]}


def trusted(ca_url):
    """RDS has an authority of its own, which the runtime does not know; AWS publishes it over HTTPS."""
    with urllib.request.urlopen(ca_url, timeout=10) as answer:
        return ssl.create_default_context(cadata=answer.read().decode())


class Rotation:
    def __init__(self, client, settings, trust, patience_s=PATIENCE_S):
        self.client, self.settings, self.trust, self.patience_s = client, settings, trust, patience_s

    def step(self, event):
        arn, token = event["SecretId"], event["ClientRequestToken"]
        steps = {"createSecret": self.create, "setSecret": self.set, "testSecret": self.test, "finishSecret": self.finish}
        secret = self.client.describe_secret(SecretId=arn)
        stages = secret["VersionIdsToStages"].get(token)
        if not secret.get("RotationEnabled") or stages is None:
            raise ValueError(f"{secret['Name']}: no rotation with this token is under way")
        if "AWSCURRENT" in stages:
            return
        if "AWSPENDING" not in stages:
            raise ValueError(f"{secret['Name']}: the version of this token is not pending")
        login = self.settings["logins"].get(secret["Name"])
        if login is None:
            raise ValueError(f"{secret['Name']} is no URL of the ledger")
        steps[event["Step"]](arn, token, login, secret)
        log.info("%s: %s done", secret["Name"], event["Step"])

    def create(self, arn, token, login, _secret):
        if self.value(arn, "AWSPENDING", token) is not None:
            return
        master = self.master()
        current = self.value(arn, "AWSCURRENT")
        name = other_login(login["role"], current)
        # Of an alphabet that a URL takes as it is.
        password = secrets.token_urlsafe(32)
        # How the server is checked is the services' to say: what stands behind the question mark stays.
        query = urllib.parse.urlsplit(current or "").query or "sslmode=require"
        url = f"postgres://{name}:{password}@{login['host']}:{master['port']}/{master['dbname']}?{query}"
        self.client.put_secret_value(SecretId=arn, ClientRequestToken=token, SecretString=url, VersionStages=["AWSPENDING"])

    def set(self, arn, token, login, _secret):
        pending = parse(self.value(arn, "AWSPENDING", token))
        role, name = postgres.identifier(login["role"]), postgres.identifier(pending["user"])
        if not belongs(pending["user"], login["role"]):
            raise ValueError(f"{pending['user']} is no login of {login['role']}")
        master = self.master()
        with self.connect(master["host"], master["port"], master["dbname"], master["username"], master["password"]) as database:
            known = database.query(f"SELECT 1 FROM pg_roles WHERE rolname = '{pending['user']}'")
            how = f"ALTER ROLE {name} LOGIN" if known else f"CREATE ROLE {name} LOGIN IN ROLE {role}"
            database.query(f"{how} PASSWORD '{postgres.verifier(pending['password'])}'")
            database.query(f"ALTER ROLE {name} SET role TO {role}")

    def test(self, arn, token, login, _secret):
        pending = parse(self.value(arn, "AWSPENDING", token))
        until = time.monotonic() + self.patience_s
        while True:
            try:
                with self.connect(pending["host"], pending["port"], pending["database"], pending["user"], pending["password"]) as database:
                    found = database.query("SELECT current_user")
                break
            except postgres.DatabaseError as problem:
                # 28P01: the replica does not know it yet.
                if problem.code != "28P01" or time.monotonic() > until:
                    raise
                time.sleep(min(2, self.patience_s / 10))
        if found != [[login["role"]]]:
            raise ValueError(f"{pending['user']} signs in as {found}, and not as {login['role']}")

    def finish(self, arn, token, _login, secret):
        current = next((version for version, stages in secret["VersionIdsToStages"].items() if "AWSCURRENT" in stages), None)
        moved = {"SecretId": arn, "VersionStage": "AWSCURRENT", "MoveToVersionId": token}
        if current is not None:
            moved["RemoveFromVersionId"] = current
        self.client.update_secret_version_stage(**moved)

    def value(self, arn, stage, token=None):
        """None if there is no such version: the first rotation finds none."""
        asked = {"SecretId": arn, "VersionStage": stage} | ({"VersionId": token} if token else {})
        try:
            return self.client.get_secret_value(**asked)["SecretString"]
        except self.client.exceptions.ResourceNotFoundException:
            return None

    def master(self):
        return json.loads(self.value(self.settings["master"], "AWSCURRENT"))

    def connect(self, host, port, database, user, password):
        return postgres.Connection(host, int(port), database, user, password, self.trust(self.settings["ca"]))


def other_login(role, url):
    """The login that the current URL does not hold. What a person put there at first is neither: then the first."""
    return f"{role}_b" if url and parse(url)["user"] == f"{role}_a" else f"{role}_a"


def belongs(login, role):
    return re.fullmatch(re.escape(role) + "_[ab]", login) is not None


def parse(url):
    parts = urllib.parse.urlsplit(url)
    return {
        "user": urllib.parse.unquote(parts.username or ""), "password": urllib.parse.unquote(parts.password or ""),
        "host": parts.hostname, "port": parts.port or 5432, "database": parts.path.lstrip("/"),
    }
