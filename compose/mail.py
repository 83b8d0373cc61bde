"""Hands the mails that the emulator's SES keeps on to the mail catcher, each once, so that they can be read as a
customer sees them."""
import json
import os
import smtplib
import sys
import time
import urllib.request
from email.message import EmailMessage

SES = os.environ["AWS_ENDPOINT_URL"].rstrip("/") + "/_ministack/ses/messages"
HOST, PORT = os.environ["SMTP"].rsplit(":", 1)


def kept():
    with urllib.request.urlopen(SES, timeout=10) as answer:  # noqa: S310 - the emulator's address, from our own file
        for messages in json.load(answer)["messages"].values():
            yield from messages


def mail(record):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = record["Source"], ", ".join(record["To"]), record["Subject"]
    message["X-Message-Id"] = record["MessageId"]
    message.set_content(record.get("BodyText") or "")
    if record.get("BodyHtml"):
        message.add_alternative(record["BodyHtml"], subtype="html")
    return message


def main():
    passed_on = set()
    while True:
        try:
            new = [record for record in kept() if record["MessageId"] not in passed_on]
            if new:
                with smtplib.SMTP(HOST, int(PORT), timeout=10) as smtp:
                    for record in new:
                        smtp.send_message(mail(record))
                        passed_on.add(record["MessageId"])
        except OSError as error:
            print(f"mail: {error}", file=sys.stderr, flush=True)
        time.sleep(1)


if __name__ == "__main__":
    main()
