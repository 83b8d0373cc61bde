//! Reasons as payment systems write them.

use super::*;

#[track_caller]
fn check(reason: &str, expected: &str) {
    assert_eq!(fingerprint(reason), expected, "{reason}");
}

#[test]
fn ids_become_one_sign() {
    check(
        "payment pay_01JD8Z6Q8Q2K3M4N5P6Q7R8S9T is locked",
        "payment # is locked",
    );
    check(
        "no such customer: cus_NffrFeUfNV2Hib",
        "no such customer: #",
    );
    check(
        "no charge ch_3MmlLrLkdIwHu7ix0snN0B15 for req_7",
        "no charge # for #",
    );
    check(
        "message 01JDABCDEFGHJKMNPQRSTVWXYZ expired",
        "message # expired",
    );
    check(
        "lock 6ba7b810-9dad-11d1-80b4-00c04fd430c8 is held",
        "lock # is held",
    );
    check("checksum 9f86d081884c7d65 differs", "checksum # differs");
    check(
        "object payments/pay_01JD8Z6Q8Q2K3M4N5P6Q7R8S9T.json is gone",
        "object payments/#.json is gone",
    );
    check("missing: [pay_1, pay_2, pay_3]", "missing: [#]");
    check("Bar@1a2b3c4d is closed", "Bar@# is closed");
    check(
        "reservation for INV-00012 failed",
        "reservation for INV-# failed",
    );
}

#[test]
fn numbers_times_and_addresses_become_one_sign() {
    check("no answer after 30s", "no answer after #s");
    check("no answer after 1,250.5 ms", "no answer after # ms");
    check(
        "token expired at 2026-11-22T10:00:00.123Z",
        "token expired at #",
    );
    check(
        "expired on Sun, 22 Nov 2026 10:00:00 GMT",
        "expired on # GMT",
    );
    check(
        "connect to db-1.internal/10.0.0.12:5432 refused",
        "connect to db-#.internal/# refused",
    );
    check("mail to anna@example.com bounced", "mail to # bounced");
    check("balance is -5, needed 17", "balance is #, needed #");
    check(
        "worker7 lost its lease after attempt 3",
        "worker# lost its lease after attempt #",
    );
    check(
        "partition17 of payments_2026_11 is full",
        "partition# of payments_# is full",
    );
}

#[test]
fn names_and_codes_stay() {
    check(
        "not utf8: sha256 of v2 differs, E1001",
        "not utf8: sha256 of v2 differs, E1001",
    );
    check(
        "3ds2 challenge failed, log4j on k8s, x509, s3, ipv4",
        "3ds2 challenge failed, log4j on k8s, x509, s3, ipv4",
    );
    check(
        "Request failed with status code 503",
        "Request failed with status code 503",
    );
    check(
        "acquirer answered 502 Bad Gateway after 120 ms",
        "acquirer answered 502 Bad Gateway after # ms",
    );
    check("declined: response code 51", "declined: response code 51");
    check(
        "ORA-00001: unique constraint (PAY.PK_17) violated",
        "ORA-00001: unique constraint (PAY.PK_#) violated",
    );
    check("SQLSTATE[23505]: duplicate", "SQLSTATE[23505]: duplicate");
    check(
        "ERROR 1062 (23000): Duplicate entry 'INV-17' for key 'reference'",
        "ERROR 1062 (#): Duplicate entry # for key 'reference'",
    );
    check(
        "provider answered HTTP/1.1 503",
        "provider answered HTTP/1.1 503",
    );
    check("HTTP 429: retry after 2s", "HTTP 429: retry after #s");
    check(
        "Http2Exception in X509Certificate",
        "Http2Exception in X509Certificate",
    );
}

#[test]
fn quoted_values_go_and_quoted_names_stay() {
    check(
        "amount: expected integer, got \"12.50\"",
        "amount: expected integer, got #",
    );
    check(
        "missing field `amount` at line 1 column 17",
        "missing field `amount` at line # column #",
    );
    check(
        "unknown variant `foo`, expected one of `a`, `b`",
        "unknown variant #, expected one of #",
    );
    check(
        "null value in column \"currency\" of relation \"payments\"",
        "null value in column \"currency\" of relation \"payments\"",
    );
    check("user 'o'brien' can't pay", "user # can't pay");
    check("KeyError: 'customer_id'", "KeyError: 'customer_id'");
    check(
        "KeyError: 'pay_01JD8Z6Q8Q2K3M4N5P6Q7R8S9T'",
        "KeyError: '#'",
    );
    check(
        "Cannot invoke \"a.Customer.getId()\" because \"this.customer\" is null",
        "Cannot invoke \"a.Customer.getId()\" because \"this.customer\" is null",
    );
    check("a lone \" mark and can't", "a lone \" mark and can't");
    check(
        "refused: {\"status\":503,\"id\":\"ch_1\"}",
        "refused: {\"status\":503,\"id\":#}",
    );
}

#[test]
fn of_stack_traces_only_headline_and_exception_count() {
    let java = |port: u32, line: u32| {
        format!(
            "org.apache.http.conn.HttpHostConnectException: Connect to acquirer.example:{port} failed\n\
             \tat org.apache.http.impl.Op.connect(Op.java:{line})\n\tat com.acme.pay.Charge.run(Charge.java:{line})\n\
             Caused by: java.net.ConnectException: Connection refused"
        )
    };
    check(
        &java(443, 12),
        "org.apache.http.conn.HttpHostConnectException: Connect to acquirer.example:# failed",
    );
    assert_eq!(fingerprint(&java(443, 12)), fingerprint(&java(8443, 99)));
    let jackson = "com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException: Unrecognized field \"amonut\" (class com.acme.Pay), \
                   not marked as ignorable at [Source: (String)\"{\\\"amonut\\\":1}\"; line: 1, \
                       column: 12]";
    let print = fingerprint(jackson);
    assert!(
        print.contains("field \"amonut\"") && print.chars().count() <= 160,
        "{print}"
    );
    let node = "Error: connect ECONNREFUSED 10.0.0.1:443\n    at TCPConnectWrap.afterConnect [as \
        oncomplete] (node:net:1606:16)";
    check(node, "Error: connect ECONNREFUSED #");
    check(
        "TypeError: Cannot read properties of undefined (reading 'amount')\n    at charge \
            (/app/dist/charge.js:42:17)",
        "TypeError: Cannot read properties of undefined (reading 'amount')",
    );
    let rust = |line: u32| {
        format!(
            "thread 'worker-3' panicked at src/charge.rs:{line}:9:\nindex out of bounds: the len \
                is {line} but the index is 3"
        )
    };
    check(
        &rust(10),
        "panic: index out of bounds: the len is # but the index is #",
    );
    assert_eq!(fingerprint(&rust(10)), fingerprint(&rust(77)));
    check(
        "reqwest::Error { kind: Request, url: \"https://acquirer.example/v2/charges/ch_1\", source: TimedOut }",
        "reqwest::Error { kind: Request, url: #, source: TimedOut }",
    );
    check(
        "invalid type: string \"12.50\", expected i64 at line 1 column 19",
        "invalid type: string #, expected i64 at line # column #",
    );
}

#[test]
fn messages_of_services_we_use_are_one_cause_each() {
    check(
        "An error occurred (ThrottlingException) when calling the PutItem operation (reached max \
            retries: 4): Rate exceeded",
        "An error occurred (ThrottlingException) when calling the PutItem operation (reached max \
            retries: #): Rate exceeded",
    );
    check(
        "io.grpc.StatusRuntimeException: DEADLINE_EXCEEDED: deadline exceeded after 4.999s. \
            [remote_addr=acquirer/10.0.0.1:443]",
        "io.grpc.StatusRuntimeException: DEADLINE_EXCEEDED: deadline exceeded after #s. \
            [remote_addr=acquirer/#]",
    );
    check(
        "StripeCardError: Your card was declined. code=card_declined request_id=req_8sKd92Ks03",
        "StripeCardError: Your card was declined. code=card_declined request_id=#",
    );
    check(
        "AxiosError: Request failed with status code 422 at settle \
            (/app/node_modules/axios/lib/core/settle.js:19:12)",
        "AxiosError: Request failed with status code 422",
    );
    check(
        "org.postgresql.util.PSQLException: ERROR: duplicate key value violates unique constraint \
            \"payments_pkey\"\n  Detail: Key (id)=(7)",
        "org.postgresql.util.PSQLException: ERROR: duplicate key value violates unique constraint \
            \"payments_pkey\"",
    );
    check(
        "ISO8583 response code 91 (issuer inoperative) for STAN 004512",
        "ISO8583 response code 91 (issuer inoperative) for STAN #",
    );
    check(
        "3DS2 authentication failed: acsTransID=6ba7b810-9dad-11d1-80b4-00c04fd430c8",
        "3DS2 authentication failed: acsTransID=#",
    );
}

#[test]
fn lambda_time_outs_are_one_cause() {
    check(
        "2026-11-22T10:00:00.123Z 6ba7b810-9dad-11d1-80b4-00c04fd430c8 Task timed out after 30.03 \
            seconds",
        "# Task timed out after # seconds",
    );
}

#[test]
fn nothing_and_much_are_bounded() {
    check("", "");
    check("   \n ", "");
    assert_eq!(fingerprint(&"ab1 ".repeat(100_000)).chars().count(), 160);
    assert_eq!(fingerprint(&"ä".repeat(1_000)).chars().count(), 160);
}

proptest::proptest! {
    #[test]
    fn any_text_has_a_fingerprint(text in "\\PC{0,200}") {
        proptest::prop_assert!(fingerprint(&text).chars().count() <= 160);
    }

    #[test]
    fn other_ids_do_not_make_another_cause(ms in 0_u64..1_u64 << 47, random: u128, amount in 0_u32..1_000_000) {
        let id = crate::domain::id::PaymentId::from_parts(ms, random);
        proptest::prop_assert_eq!(fingerprint(&format!("cannot charge {id}: {amount} is over the \
            limit")), "cannot charge #: # is over the limit");
    }
}
