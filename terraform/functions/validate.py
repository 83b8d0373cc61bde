"""Says to AWS Backup whether what a restore test brought back is what was backed up.

A restore that is COMPLETED has made a table or an instance; whether payments are in it only a look tells. The table must have
the indexes of the one in use and payments that the one in use knows; the newest
transactions of the ledger must balance. The verdict is given to AWS Backup, and one
that is not good is also put on the default bus, where the alarm backup-failed hears it.

TABLE is the table in use; MASTER the secret of the ledger's master user; CA_URL the authority of RDS.
"""
import json
import logging
import os

import boto3

import postgres
import rotate

log = logging.getLogger()
log.setLevel(logging.INFO)

# Of a restored table so many items are compared.
SAMPLE = 50
# Tables of the ledger, and what must hold of them.
LEDGER_TABLES = ("ledger_transactions", "ledger_postings")
RECENT = "(SELECT id, posting_count, at_ms FROM ledger_transactions ORDER BY id DESC LIMIT 100000)"
NEWEST = f"SELECT count(*), to_timestamp(max(at_ms) / 1000.0)::text FROM {RECENT} AS recent"
UNBALANCED = f"""SELECT count(*) FROM (
    SELECT recent.id FROM {RECENT} AS recent LEFT JOIN ledger_postings AS posting ON posting.transaction_id = recent.id
    GROUP BY recent.id, recent.posting_count
    HAVING count(posting.position) <> recent.posting_count OR coalesce(sum(posting.minor), 1) <> 0) AS wrong"""


class NotWhatItShouldBe(Exception):
    """The restore worked, and what is there is wrong."""


def handler(event, _context):
    detail = event["detail"]
    clients = {name: boto3.client(name) for name in ("backup", "dynamodb", "rds", "secretsmanager", "events")}
    return Validation(clients, dict(os.environ), rotate.trusted).run(detail)


class Validation:
    def __init__(self, clients, settings, trust):
        self.clients, self.settings, self.trust = clients, settings, trust

    def run(self, detail):
        job, arn, kind = detail["restoreJobId"], detail.get("createdResourceArn"), detail["resourceType"]
        try:
            found = {"DynamoDB": self.table, "RDS": self.ledger}[kind](arn)
            verdict, message = "SUCCESSFUL", found
        except Exception as problem:  # whatever it is: a restore that nobody could look at is not shown to be good
            log.exception("%s: %s", kind, arn)
            verdict, message = "FAILED", f"{type(problem).__name__}: {problem}"
        self.clients["backup"].put_restore_validation_result(
            RestoreJobId=job, ValidationStatus=verdict, ValidationStatusMessage=message[:1000])
        log.info("%s %s: %s", kind, verdict, message)
        if verdict == "FAILED":
            self.clients["events"].put_events(Entries=[{
                "Source": "payops.backup", "DetailType": "Restore Validation",
                "Detail": json.dumps({"status": "FAILED", "restoreJobId": job, "resourceType": kind, "message": message[:1000]}),
            }])
        return {"status": verdict, "message": message}

    def table(self, arn):
        client, name = self.clients["dynamodb"], arn.split("/")[1]
        restored = client.describe_table(TableName=name)["Table"]
        in_use = client.describe_table(TableName=self.settings["TABLE"])["Table"]
        if restored["TableStatus"] != "ACTIVE":
            raise NotWhatItShouldBe(f"the table is {restored['TableStatus']}")
        for what in ("KeySchema", "SSEDescription"):
            if what == "SSEDescription":
                if restored.get(what, {}).get("SSEType") != "KMS":
                    raise NotWhatItShouldBe("the table is not encrypted with a key of ours")
            elif restored[what] != in_use[what]:
                raise NotWhatItShouldBe(f"the table has another {what}")
        missing = indexes(in_use) - indexes(restored)
        if missing:
            raise NotWhatItShouldBe(f"the table lacks the indexes {', '.join(sorted(missing))}")
        keys = [key["AttributeName"] for key in in_use["KeySchema"]]
        items = client.scan(TableName=name, Limit=SAMPLE)["Items"]
        # Of rows that expire, none need be there any more: payments do not.
        payments = [item for item in items if "ttl" not in item]
        if not payments:
            raise NotWhatItShouldBe(f"{len(items)} items, and no payment among them")
        strange = [item for item in payments if "Item" not in client.get_item(
            TableName=self.settings["TABLE"], Key={key: item[key] for key in keys}, ProjectionExpression="#k", ExpressionAttributeNames={"#k": keys[0]})]
        if strange:
            raise NotWhatItShouldBe(f"{len(strange)} of {len(payments)} items are in the restore and not in the table in use")
        return f"{len(payments)} items compared, {len(indexes(restored))} indexes"

    def ledger(self, arn):
        instance = self.clients["rds"].describe_db_instances(DBInstanceIdentifier=arn.split(":")[-1])["DBInstances"][0]
        if not instance["StorageEncrypted"] or instance["PubliclyAccessible"]:
            raise NotWhatItShouldBe("the instance is open to the internet, or not encrypted")
        with self.sign_in(instance["Endpoint"]["Address"], instance["Endpoint"]["Port"]) as database:
            missing = [table for table in LEDGER_TABLES if database.query(f"SELECT to_regclass('{table}')") == [[None]]]
            if missing:
                raise NotWhatItShouldBe(f"the ledger lacks {', '.join(missing)}")
            count, newest = database.query(NEWEST)[0]
            if int(count) == 0:
                raise NotWhatItShouldBe("the ledger is empty")
            unbalanced = database.query(UNBALANCED)[0][0]
            if int(unbalanced) > 0:
                raise NotWhatItShouldBe(f"{unbalanced} of the newest {count} transactions do not balance")
        return f"the newest {count} transactions balance, the last of {newest}"

    def sign_in(self, host, port):
        """A backup of last week has the password of last week: the current one, or the one before."""
        problem = None
        for stage in ("AWSCURRENT", "AWSPREVIOUS"):
            try:
                secret = json.loads(self.clients["secretsmanager"].get_secret_value(SecretId=self.settings["MASTER"], VersionStage=stage)["SecretString"])
                return postgres.Connection(host, int(port), secret["dbname"], secret["username"], secret["password"], self.trust(self.settings["CA_URL"]), timeout=120)
            except (postgres.DatabaseError, self.clients["secretsmanager"].exceptions.ResourceNotFoundException) as error:
                problem = error
        raise problem


def indexes(table):
    return {index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])}
