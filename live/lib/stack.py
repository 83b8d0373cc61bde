"""What live/stack makes in its servers and files, one command each; by hand there is no reason to call it.

    environment KIND NAME            rendered objects on stdin: NAME=VALUE lines of that ConfigMap or Job
    objects                          rendered objects on stdin: those that the cluster knows, with the secrets
                                     that External Secrets would fetch
    secrets                          those of Secrets Manager that only the cluster reads
    identities                       the roles, and two people: a file for each that makes a shell theirs
    function BINARY NAME=VALUE...    the worker as a Lambda function on its queue, as Terraform makes it
    worker lambda|none               whether the function gets messages
"""
import io
import json
import os
import re
import shlex
import sys
import time
import zipfile
from pathlib import Path

import botocore.session
import yaml

ROOT = Path(__file__).resolve().parents[2]
NAMES = json.loads((ROOT / "terraform/modules/names/names.json").read_text())
ENVIRONMENT = os.environ["ENVIRONMENT"]
ACCOUNT = NAMES["accounts"][ENVIRONMENT]["id"]
PEOPLE = ("anna", "ben")
FUNCTION = "payments-worker"
SESSION_SECONDS = 12 * 3600
FOLDER = Path(os.environ.get("PAYOPS_LIVE_SCRATCH", ""))
# What the cluster of live/run has no definition of; External Secrets are fetched here instead.
UNKNOWN_KINDS = {"ServiceMonitor", "ExternalSecret"}


def named(what):
    return NAMES["templates"][what].replace("{env}", ENVIRONMENT)


def client(service):
    return botocore.session.get_session().create_client(service)


def rendered():
    return [document for document in yaml.safe_load_all(sys.stdin) if document]


def environment(kind, name):
    """A ConfigMap is named by its content: NAME is how it begins."""
    [found] = [o for o in rendered() if o["kind"] == kind and re.fullmatch(rf"{name}(-[0-9a-f]+)?", o["metadata"]["name"])]
    if kind == "ConfigMap":
        pairs = found["data"].items()
    else:
        [container] = found["spec"]["template"]["spec"]["containers"]
        pairs = [(variable["name"], variable["value"]) for variable in container["env"]]
    for variable, value in pairs:
        print(f"{variable}={value}")


def objects():
    manager = client("secretsmanager")
    shown = []
    for document in rendered():
        if document["kind"] == "ExternalSecret":
            shown.append(fetched(manager, document))
        elif document["kind"] not in UNKNOWN_KINDS:
            shown.append(document)
    print(yaml.safe_dump_all(shown))


def fetched(manager, external):
    spec, data = external["spec"], {}
    for entry in spec["data"]:
        remote = entry["remoteRef"]
        secret = json.loads(manager.get_secret_value(SecretId=remote["key"])["SecretString"])
        data[entry["secretKey"]] = secret[remote["property"]]
    metadata = {"name": spec["target"]["name"], "namespace": external["metadata"]["namespace"]}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": data}


def secrets():
    keys = Path(os.environ["KEYS"])
    values = {
        "datadog": {"address": os.environ["SIGNALS_URL"], "api-key": "none", "app-key": "none"},
        "smoke": {"api-key": (keys / "api-key").read_text(), "source": (keys / "source").read_text()},
    }
    for name, value in values.items():
        client("secretsmanager").create_secret(Name=named("secret_prefix") + name, SecretString=json.dumps(value))


def identities():
    """The roles that payops assumes, and two people with sessions as IAM Identity Center gives them: each may take the
    roles under their own name alone. The emulator keeps the policies and enforces none."""
    iam, sts = client("iam"), client("sts")
    trust = json.dumps({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"],
        "Condition": {"StringEquals": {"sts:SourceIdentity": "${aws:PrincipalTag/UserName}"}},
    }]})
    for level in ("view", "operate", "break-glass"):
        iam.create_role(RoleName=NAMES["roles"][level], AssumeRolePolicyDocument=trust)
    role = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/{NAMES['regions']['home']}/AWSReservedSSO_operator_0123456789abcdef"
    for person in PEOPLE:
        given = sts.assume_role(RoleArn=role, RoleSessionName=person, DurationSeconds=SESSION_SECONDS)["Credentials"]
        names = {"AWS_ACCESS_KEY_ID": "AccessKeyId", "AWS_SECRET_ACCESS_KEY": "SecretAccessKey", "AWS_SESSION_TOKEN": "SessionToken"}
        lines = [f"export PAYOPS_USER={person}"] + [f"export {name}={shlex.quote(given[key])}" for name, key in names.items()]
        (FOLDER / person).write_text("\n".join(lines) + "\n")


def package(binary):
    """What the pipeline uploads: one program called bootstrap."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        info = zipfile.ZipInfo("bootstrap")
        info.external_attr, info.compress_type = 0o755 << 16, zipfile.ZIP_DEFLATED
        archive.writestr(info, Path(binary).read_bytes())
    return buffer.getvalue()


def terraform_environment():
    """The function's variables as terraform/modules/workload sets them."""
    text = (ROOT / "terraform/modules/workload/compute.tf").read_text()
    block = re.search(r'module "worker" \{.*?environment = \{(.*?)\}', text, re.DOTALL)
    pairs = re.findall(r"(PAYOPS_\w+)\s*=\s*local\.(\w+)\.(\w+)", block[1])
    if len(pairs) != block[1].count("PAYOPS_"):
        raise SystemExit("stack: the worker's variables in terraform/modules/workload/compute.tf are not all local names")
    return {name: ACCOUNT if group == "account" else named(key) for name, group, key in pairs}


def function(binary, *overlaid):
    variables = terraform_environment() | dict(pair.split("=", 1) for pair in overlaid)
    s3, bucket, key = client("s3"), named("artifacts_bucket"), f"{FUNCTION}/first.zip"
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": NAMES["regions"]["home"]})
    s3.put_object(Bucket=bucket, Key=key, Body=package(binary))
    functions = client("lambda")
    made = functions.create_function(
        FunctionName=FUNCTION, Runtime="provided.al2023", Handler="bootstrap", Role=f"arn:aws:iam::{ACCOUNT}:role/{FUNCTION}",
        Code={"S3Bucket": bucket, "S3Key": key}, Timeout=30, MemorySize=512, Environment={"Variables": variables}, Publish=True,
    )
    alias = functions.create_alias(FunctionName=FUNCTION, Name="live", FunctionVersion=made["Version"])
    functions.create_event_source_mapping(
        EventSourceArn=f"arn:aws:sqs:{NAMES['regions']['home']}:{ACCOUNT}:{named('queue_prefix')}payments-work",
        FunctionName=alias["AliasArn"], BatchSize=10, FunctionResponseTypes=["ReportBatchItemFailures"],
        ScalingConfig={"MaximumConcurrency": 5},
    )


def worker(which):
    functions = client("lambda")
    [mapping] = functions.list_event_source_mappings(FunctionName=f"{FUNCTION}:live")["EventSourceMappings"]
    wanted = which == "lambda"
    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=wanted)
    state = ""
    for _ in range(100):
        state = functions.get_event_source_mapping(UUID=mapping["UUID"])["State"]
        if state == ("Enabled" if wanted else "Disabled"):
            return
        time.sleep(0.1)
    raise SystemExit(f"stack: the mapping of the worker's function is still {state}")


COMMANDS = {f.__name__: f for f in (environment, objects, secrets, identities, function, worker)}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
