//! Damage on purpose, of each kind in each store: reconciliation must find every piece of it,
//! name the payment and the store, and find nothing else.

use std::path::{Path, PathBuf};

use crate::world::{World, caller, key, request};
use payops_core::domain::doc::PaymentDoc;
use payops_core::domain::id::PaymentId;
use payops_core::domain::reconcile::{Break, BreakKind, Store};
use payops_core::domain::request::CreateRefund;
use payops_core::usecase::Requester;
use payops_search::TantivyIndex;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};

/// A world with six payments that have come to their end, all well.
async fn whole() -> (tempfile::TempDir, World, Vec<PaymentId>) {
    let folder = tempfile::tempdir().expect("a folder");
    let world = World::open(folder.path(), 5).await;
    let mut ids = Vec::new();
    for n in 0..6 {
        let source = if n == 5 { "tok_declined" } else { "tok_visa" };
        ids.push(
            world
                .accept(&format!("k{n}"), &request(source, 1000 + n))
                .await
                .expect("accepted")
                .payment,
        );
    }
    world.drain().await;
    assert_eq!(breaks(&world).await, []);
    (folder, world, ids)
}

async fn breaks(world: &World) -> Vec<Break> {
    world
        .reconciler()
        .run(&|_| {})
        .await
        .expect("a report")
        .breaks
}

/// Runs SQL on a store's file as somebody with a shell would, all guards off.
async fn sql(folder: &Path, file: &str, statements: &str) {
    let options = SqliteConnectOptions::new()
        .filename(folder.join("prod").join(file))
        .foreign_keys(false);
    let mut connection: SqliteConnection = options.connect().await.expect("opened");
    sqlx::raw_sql(AssertSqlSafe(statements.to_owned()))
        .execute(&mut connection)
        .await
        .expect("damaged");
    connection.close().await.expect("closed");
}

/// Damages, and checks that exactly one payment is named, with that store and kind among its
/// breaks.
#[track_caller]
fn check(found: &[Break], id: &str, store: Store, kind: BreakKind) {
    assert!(
        found
            .iter()
            .any(|found| found.payment_id == id && found.store == store && found.kind == kind),
        "{store:?} {kind:?} in {found:#?}"
    );
    assert!(
        found.iter().all(|found| found.payment_id == id),
        "others are named too: {found:#?}"
    );
}

const NO_LEDGER_GUARDS: &str = "DROP TRIGGER transactions_update; DROP TRIGGER transactions_delete; DROP TRIGGER postings_update; \
     DROP TRIGGER postings_delete; DROP TRIGGER seals_delete; DROP TRIGGER seals_update;";

macro_rules! sql_damage {
    ($($name:ident: $file:literal, $sql:expr, $store:ident $kind:ident;)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                let (folder, world, ids) = whole().await;
                let statements = $sql.replace("{guards}", NO_LEDGER_GUARDS).replace("{id}", ids[2].as_str());
                sql(folder.path(), $file, &statements).await;
                check(&breaks(&world).await, ids[2].as_str(), Store::$store, BreakKind::$kind);
            }
        )*
    };
}

sql_damage! {
    a_deleted_payment: "payments.db", "DELETE FROM payments WHERE id = '{id}'", Ledger Orphan;
    a_deleted_payment_in_the_archive: "payments.db", "DELETE FROM payments WHERE id = '{id}'", Archive Orphan;
    a_deleted_payment_in_the_index: "payments.db", "DELETE FROM payments WHERE id = '{id}'", Index Orphan;
    a_changed_amount: "payments.db", "UPDATE payments SET minor = minor + 1, refundable_minor = \
        minor + 1 WHERE id = '{id}'", Payments Mismatch;
    a_changed_amount_shows_against_the_ledger: "payments.db", "UPDATE payments SET minor = 7, \
        refundable_minor = 7 WHERE id = '{id}'", Ledger Mismatch;
    a_changed_status: "payments.db", "UPDATE payments SET status = 'failed' WHERE id = '{id}'", Payments Mismatch;
    a_changed_refundable: "payments.db", "UPDATE payments SET refundable_minor = 0 WHERE id = \
        '{id}'", Payments Mismatch;
    a_deleted_event: "payments.db", "DELETE FROM events WHERE payment = '{id}' AND seq = 3", Timeline Missing;
    a_deleted_last_event: "payments.db",
        "DELETE FROM events WHERE payment = '{id}' AND seq = (SELECT max(seq) FROM events WHERE \
            payment = '{id}')", Timeline Missing;
    an_added_event: "payments.db",
        "INSERT INTO events SELECT payment, seq + 100, at_ms, kind, version, detail, NULL FROM \
            events WHERE payment = '{id}' AND seq = 1", Timeline Orphan;
    a_deleted_transaction: "ledger.db",
        "{guards} DELETE FROM postings WHERE transaction_id = (SELECT id FROM transactions WHERE payment = '{id}'); \
         DELETE FROM seals WHERE transaction_id = (SELECT id FROM transactions WHERE payment = '{id}'); \
         DELETE FROM transactions WHERE payment = '{id}'", Ledger Missing;
    a_changed_transaction: "ledger.db",
        "{guards} UPDATE postings SET minor = minor * 2 WHERE transaction_id = (SELECT id FROM \
            transactions WHERE payment = '{id}')", Ledger Mismatch;
    an_unbalanced_transaction: "ledger.db",
        "{guards} UPDATE postings SET minor = minor + 1 WHERE position = 0 AND transaction_id = \
            (SELECT id FROM transactions WHERE payment = '{id}')", Ledger Mismatch;
    a_doubled_transaction: "ledger.db",
        "INSERT INTO transactions SELECT 9001, payment, kind, reference || 'x', merchant, live, currency, at_ms FROM transactions WHERE payment = '{id}'; \
         INSERT INTO postings SELECT 9001, position, account, minor FROM postings WHERE transaction_id = (SELECT min(id) FROM transactions WHERE payment = '{id}'); \
         INSERT INTO seals VALUES (9001)", Ledger Duplicate;
    a_deleted_charge: "acquirer.db", "DELETE FROM charges WHERE payment = '{id}'", Provider Missing;
    a_changed_charge: "acquirer.db", "UPDATE charges SET minor = 1 WHERE payment = '{id}'", Provider Mismatch;
    a_doubled_charge: "acquirer.db",
        "INSERT INTO charges SELECT NULL, payment, key || 'x', minor, currency, brand, last4, \
            at_ms FROM charges WHERE payment = '{id}'", Provider Duplicate;
}

#[tokio::test]
async fn charges_of_payments_that_there_are_not() {
    let (folder, world, _) = whole().await;
    let nobody = PaymentId::from_parts(9_000_000_000_000, 5);
    let charge = |payment: &str, key: &str| {
        format!(
            "INSERT INTO charges (payment, key, minor, currency, brand, last4, at_ms) VALUES \
                ('{payment}', '{key}', 700, 'EUR', 'visa', '4242', 0);"
        )
    };
    sql(folder.path(), "acquirer.db", &charge(nobody.as_str(), "a")).await;
    let found = breaks(&world).await;
    check(&found, nobody.as_str(), Store::Provider, BreakKind::Orphan);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].detail.contains("7.00 EUR"), "{found:#?}");
    sql(folder.path(), "acquirer.db", &charge(nobody.as_str(), "b")).await;
    let found = breaks(&world).await;
    check(&found, nobody.as_str(), Store::Provider, BreakKind::Orphan);
    check(
        &found,
        nobody.as_str(),
        Store::Provider,
        BreakKind::Duplicate,
    );
    sql(
        folder.path(),
        "acquirer.db",
        &format!(
            "DELETE FROM charges WHERE payment = '{nobody}'; {}",
            charge("somebody else", "c")
        ),
    )
    .await;
    check(
        &breaks(&world).await,
        "somebody else",
        Store::Provider,
        BreakKind::Orphan,
    );
}

#[tokio::test]
async fn a_deleted_payment_is_missed_at_the_provider() {
    let (folder, world, ids) = whole().await;
    sql(
        folder.path(),
        "payments.db",
        &format!("DELETE FROM payments WHERE id = '{}'", ids[2]),
    )
    .await;
    check(
        &breaks(&world).await,
        ids[2].as_str(),
        Store::Provider,
        BreakKind::Orphan,
    );
}

/// The provider's refunds of a payment with one refund of 3.00 that was paid out, after
/// `statements` (`{refund}` is the refund's id).
async fn damaged_refunds(statements: &str) -> (Vec<Break>, PaymentId) {
    let (folder, world, ids) = whole().await;
    let asked = CreateRefund {
        minor: Some(300),
        reason: None,
    };
    let by = Requester::Merchant(caller());
    let changes = world.changes();
    changes
        .refund(&by, &ids[2], &key("r"), &asked, &|_| String::new())
        .await
        .expect("asked for");
    world.drain().await;
    assert_eq!(breaks(&world).await, []);
    let payment = world.payment(&ids[2]).await;
    assert_eq!(payment.refunded_minor(), 300);
    sql(
        folder.path(),
        "acquirer.db",
        &statements.replace("{refund}", payment.refunds[0].id.as_str()),
    )
    .await;
    (breaks(&world).await, ids[2].clone())
}

#[tokio::test]
async fn damage_in_the_refunds_at_the_provider() {
    let by_hand = "INSERT INTO refunds (refund, charge_id, minor, at_ms) SELECT 'by hand', \
        charge_id, 5, 0 FROM refunds WHERE refund = '{refund}'";
    for (statements, kind) in [
        (
            "DELETE FROM refunds WHERE refund = '{refund}'",
            BreakKind::Missing,
        ),
        (
            "UPDATE refunds SET minor = 299 WHERE refund = '{refund}'",
            BreakKind::Mismatch,
        ),
        (by_hand, BreakKind::Orphan),
    ] {
        let (found, id) = damaged_refunds(statements).await;
        check(&found, id.as_str(), Store::Provider, kind);
        assert_eq!(found.len(), 1, "{found:#?}");
    }
    let charge_of_nobody =
        "INSERT INTO refunds (refund, charge_id, minor, at_ms) VALUES ('stray', 9009, 5, 0)";
    let (found, _) = damaged_refunds(charge_of_nobody).await;
    assert_eq!(
        found
            .iter()
            .map(|found| (found.store, found.kind))
            .collect::<Vec<_>>(),
        [(Store::Provider, BreakKind::Orphan)]
    );
}

#[tokio::test]
async fn a_copied_payment_row() {
    let (folder, world, ids) = whole().await;
    let copy = PaymentId::from_parts(9_000_000_000_000, 1);
    let columns = "merchant, live, status, version, fence, event_seq, minor, currency, source, reference, email, metadata, created_ms, updated_ms, \
         shard, due_ms, redrives, archive_key, archive_sha256, archive_bytes, lease, attempt, charge, failure, dead, refunds, refundable_minor";
    let statement = format!(
        "INSERT INTO payments (id, {columns}) SELECT '{copy}', {columns} FROM payments WHERE id = \
            '{}'",
        ids[2]
    );
    sql(folder.path(), "payments.db", &statement).await;
    let found = breaks(&world).await;
    check(&found, copy.as_str(), Store::Payments, BreakKind::Duplicate);
    check(&found, copy.as_str(), Store::Ledger, BreakKind::Missing);
    check(&found, copy.as_str(), Store::Timeline, BreakKind::Missing);
}

#[tokio::test]
async fn an_orphaned_transaction() {
    let (folder, world, _) = whole().await;
    let nobody = PaymentId::from_parts(9_000_000_000_000, 2);
    let statement = format!(
        "INSERT INTO transactions VALUES (9002, '{nobody}', 'charge', 'ch_x', 'acme', 1, 'EUR', 0); \
         INSERT INTO postings VALUES (9002, 0, 'a', 5), (9002, 1, 'b', -5); INSERT INTO seals VALUES (9002)"
    );
    sql(folder.path(), "ledger.db", &statement).await;
    check(
        &breaks(&world).await,
        nobody.as_str(),
        Store::Ledger,
        BreakKind::Orphan,
    );
}

#[tokio::test]
async fn a_transaction_of_a_failed_payment() {
    let (folder, world, ids) = whole().await;
    let statement = format!(
        "INSERT INTO transactions VALUES (9003, '{}', 'charge', 'ch_x', 'acme', 1, 'EUR', 0); \
         INSERT INTO postings VALUES (9003, 0, 'a', 5), (9003, 1, 'b', -5); INSERT INTO seals VALUES (9003)",
        ids[5]
    );
    sql(folder.path(), "ledger.db", &statement).await;
    check(
        &breaks(&world).await,
        ids[5].as_str(),
        Store::Ledger,
        BreakKind::Orphan,
    );
}

/// The archive's file of a payment, wherever below the folder it lies.
fn archived(folder: &Path, id: &PaymentId) -> PathBuf {
    fn walk(folder: &Path, name: &str) -> Option<PathBuf> {
        std::fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, name)
            } else {
                path.file_name()
                    .is_some_and(|file| file.to_string_lossy().contains(name))
                    .then_some(path)
            }
        })
    }
    walk(&folder.join("prod/archive"), id.as_str()).expect("the archived file")
}

#[tokio::test]
async fn damage_in_the_archive() {
    let (folder, world, ids) = whole().await;
    let path = archived(folder.path(), &ids[2]);
    let bytes = std::fs::read(&path).expect("read");
    std::fs::remove_file(&path).expect("deleted");
    check(
        &breaks(&world).await,
        ids[2].as_str(),
        Store::Archive,
        BreakKind::Missing,
    );
    let text = String::from_utf8(bytes.clone())
        .expect("text")
        .replace("1002", "9002");
    std::fs::write(&path, text).expect("changed");
    check(
        &breaks(&world).await,
        ids[2].as_str(),
        Store::Archive,
        BreakKind::Mismatch,
    );
    std::fs::write(&path, &bytes).expect("mended");
    assert_eq!(breaks(&world).await, []);
    let copy = path.with_file_name(format!("{}-copy.json", ids[2]));
    std::fs::write(&copy, &bytes).expect("doubled");
    check(
        &breaks(&world).await,
        ids[2].as_str(),
        Store::Archive,
        BreakKind::Duplicate,
    );
    std::fs::remove_file(&copy).expect("mended");
    let nobody = PaymentId::from_parts(9_000_000_000_000, 3);
    std::fs::write(path.with_file_name(format!("{nobody}.json")), &bytes).expect("orphaned");
    check(
        &breaks(&world).await,
        nobody.as_str(),
        Store::Archive,
        BreakKind::Orphan,
    );
}

/// The index of a world is taken over by the test: its own writer lets go first.
async fn damaged_index(
    damage: impl AsyncFnOnce(&TantivyIndex, &PaymentDoc),
) -> (Vec<Break>, PaymentId) {
    let (folder, world, ids) = whole().await;
    let payment = world.payment(&ids[2]).await;
    let index = world.stores.index.as_ref();
    damage(index, &PaymentDoc::from(&payment)).await;
    let found = breaks(&world).await;
    drop(folder);
    (found, ids[2].clone())
}

#[tokio::test]
async fn a_deleted_document() {
    let (found, id) =
        damaged_index(async |index, doc| index.delete(&doc.id).await.expect("deleted")).await;
    check(&found, id.as_str(), Store::Index, BreakKind::Missing);
}

#[tokio::test]
async fn a_changed_document() {
    let (found, id) = damaged_index(async |index, doc| {
        index.delete(&doc.id).await.expect("deleted");
        index
            .put_raw(&PaymentDoc {
                amount_minor: doc.amount_minor + 1,
                ..doc.clone()
            })
            .await
            .expect("written");
    })
    .await;
    check(&found, id.as_str(), Store::Index, BreakKind::Mismatch);
}

#[tokio::test]
async fn a_doubled_document() {
    let (found, id) =
        damaged_index(async |index, doc| index.put_raw(doc).await.expect("written")).await;
    check(&found, id.as_str(), Store::Index, BreakKind::Duplicate);
}

#[tokio::test]
async fn an_orphaned_document() {
    let nobody = PaymentId::from_parts(9_000_000_000_000, 4);
    let id = nobody.clone();
    let (found, _) = damaged_index(async |index, doc| {
        index
            .put_raw(&PaymentDoc {
                id: id.clone(),
                ..doc.clone()
            })
            .await
            .expect("written");
    })
    .await;
    check(&found, nobody.as_str(), Store::Index, BreakKind::Orphan);
}
