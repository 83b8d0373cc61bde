"""Makes in the emulator what Terraform makes in an account: table, queues, archive, bus, rules, secrets, and a
first API key. Run again it changes nothing. Names come from terraform/modules/names/names.json, the environment's
from ENVIRONMENT."""
import hashlib
import hmac
import json
import os
import secrets
import sys
import time
import urllib.parse
import urllib.request
from pathlib import Path

import botocore.session
from botocore.exceptions import ClientError

ENVIRONMENT = os.environ.get("ENVIRONMENT", "local")
NAMES = json.loads(Path(os.environ.get("NAMES_JSON", "/names.json")).read_text())
# Four days and fourteen, in seconds.
KEEP_SOURCE, KEEP_DEAD = "345600", "1209600"
# A queue hides a message six times as long as the worker's function may run.
FUNCTION_SECONDS = 30


def named(what):
    return NAMES["templates"][what].replace("{env}", ENVIRONMENT)


def once(call, *taken, **arguments):
    """Calls, and takes it well when the thing is there."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error.response["Error"]["Code"] not in taken:
            raise
        return None


def make_table(dynamo):
    table = NAMES["table"]
    kinds = {table["partition_key"]: "S", table["sort_key"]: "S"}
    indexes = []
    for name, index in table["indexes"].items():
        kinds[index["partition_key"]] = "S"
        kinds[index["sort_key"]] = index["sort_type"]
        indexes.append({
            "IndexName": name,
            "KeySchema": keys(index["partition_key"], index["sort_key"]),
            "Projection": {"ProjectionType": index["projection"]},
        })
    once(
        dynamo.create_table, "ResourceInUseException", TableName=named("table"), BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": k} for n, k in kinds.items()],
        KeySchema=keys(table["partition_key"], table["sort_key"]), GlobalSecondaryIndexes=indexes,
    )
    dynamo.get_waiter("table_exists").wait(TableName=named("table"))
    once(
        dynamo.update_time_to_live, "ValidationException", TableName=named("table"),
        TimeToLiveSpecification={"Enabled": True, "AttributeName": table["ttl"]},
    )


def keys(partition, sort):
    return [{"AttributeName": partition, "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]


def make_queue(sqs, name, keep, redrive=None):
    attributes = {"MessageRetentionPeriod": keep}
    if redrive:
        attributes.update(
            RedrivePolicy=json.dumps(redrive), VisibilityTimeout=str(6 * FUNCTION_SECONDS), ReceiveMessageWaitTimeSeconds="20",
        )
    once(sqs.create_queue, "QueueNameExists", "QueueAlreadyExists", QueueName=name, Attributes=attributes)
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def make_queues(sqs):
    arns = {}
    for name, queue in NAMES["queues"].items():
        full = named("queue_prefix") + name
        dead = make_queue(sqs, full + NAMES["queue_suffixes"]["dead"], KEEP_DEAD)
        make_queue(sqs, full + NAMES["queue_suffixes"]["parking"], KEEP_DEAD)
        # The consumer gives up first; SQS itself only on what no consumer could.
        redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": 2 * queue["consumer_limit"]}
        arns[name] = make_queue(sqs, full, KEEP_SOURCE, redrive)
    return arns


def make_archive(s3, region):
    once(
        s3.create_bucket, "BucketAlreadyOwnedByYou", Bucket=named("archive_bucket"),
        CreateBucketConfiguration={"LocationConstraint": region},
    )
    s3.put_bucket_notification_configuration(
        Bucket=named("archive_bucket"), NotificationConfiguration={"EventBridgeConfiguration": {}},
    )


def make_rule(events, bus, name, pattern, arn):
    events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    answer = events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": name, "Arn": arn}])
    if answer["FailedEntryCount"]:
        raise RuntimeError(f"rule {name}: {answer['FailedEntries']}")


def make_bus(events, arns):
    bus, prefix = named("bus"), named("queue_prefix")
    for name in (bus, named("audit_bus")):
        once(events.create_event_bus, "ResourceAlreadyExistsException", Name=name)
    for queue, details in NAMES["events"].items():
        make_rule(events, bus, prefix + queue, {"source": [NAMES["source"]], "detail-type": details}, arns[queue])
    # S3 tells the account's own bus.
    archived = {
        "source": ["aws.s3"], "detail-type": ["Object Created"], "detail": {"bucket": {"name": [named("archive_bucket")]}},
    }
    make_rule(events, "default", prefix + "archive", archived, arns["payments-work"])


def make_secrets(manager):
    values = {
        "api-key-pepper": secrets.token_hex(32),
        "cursor-key": secrets.token_hex(32),
        "provider-key": os.environ["PROVIDER_KEY"],
        "ledger-url": os.environ["LEDGER_URL"],
    }
    for name, value in values.items():
        once(manager.create_secret, "ResourceExistsException", Name=named("secret_prefix") + name, SecretString=value)
    return manager.get_secret_value(SecretId=named("secret_prefix") + "api-key-pepper")["SecretString"]


def make_key(dynamo, pepper, file, merchant):
    """The key is shown in a file, once; the table has its hash alone."""
    if file.exists():
        return
    key = f"sk_test_{secrets.token_hex(16)}"
    digest = hmac.new(pepper.encode(), key.encode(), hashlib.sha256).hexdigest()
    dynamo.put_item(TableName=named("table"), Item={
        NAMES["table"]["partition_key"]: {"S": NAMES["table"]["api_key_prefix"] + digest},
        NAMES["table"]["sort_key"]: {"S": "KEY"},
        "layout": {"N": "1"},
        "hash": {"S": digest},
        "prefix": {"S": key[:12]},
        "merchant": {"S": merchant},
        "live": {"BOOL": False},
        "created_at_ms": {"N": str(int(time.time() * 1000))},
    })
    file.write_text(key)
    file.chmod(0o644)


def make_cards(folder):
    """A card that is charged and one that is declined, at the stand-in for Stripe, for payments by hand and by the suites."""
    for name, number in (("source", "4242424242424242"), ("declined", "4000000000000341")):
        file = folder / name
        if file.exists():
            continue
        form = {"type": "card", "card[number]": number, "card[exp_month]": 12, "card[exp_year]": 2040, "card[cvc]": "123"}
        request = urllib.request.Request(
            os.environ["PROVIDER_URL"].rstrip("/") + "/v1/payment_methods", urllib.parse.urlencode(form).encode(),
            {"authorization": f"Bearer {os.environ['PROVIDER_KEY']}"},
        )
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the address is from our own file
            file.write_text(json.load(answer)["id"])


def main():
    session = botocore.session.get_session()
    dynamo = session.create_client("dynamodb")
    make_table(dynamo)
    arns = make_queues(session.create_client("sqs"))
    make_archive(session.create_client("s3"), session.get_config_variable("region"))
    make_bus(session.create_client("events"), arns)
    sender = os.environ["MAIL_FROM"]
    once(session.create_client("sesv2").create_email_identity, "AlreadyExistsException", EmailIdentity=sender)
    pepper = make_secrets(session.create_client("secretsmanager"))
    folder = Path(os.environ.get("KEYS", "/keys"))
    make_key(dynamo, pepper, folder / "api-key", "acme")
    make_key(dynamo, pepper, folder / "other-api-key", "other")
    make_cards(folder)
    print(f"setup: {named('table')}, {len(arns)} queues, {named('archive_bucket')} and {named('bus')} are there", file=sys.stderr)


if __name__ == "__main__":
    main()
