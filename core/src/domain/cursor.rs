//! List cursors that cannot be forged: where to go on, whose list it is, and a seal over both.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

use super::apikey::{Caller, mac, verify};
use super::id::PaymentId;

/// Bytes of the seal that are kept: 128 bits.
const SEAL_BYTES: usize = 16;

/// A cursor that is not one of ours, or is of another merchant's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this list")]
pub struct CursorError;

fn seal_cursor(caller: &Caller, after: &str) -> String {
    format!("payments\n{}\n{}\n{after}", caller.merchant, caller.live)
}

/// A cursor for the entries of `caller`'s list after `after`.
#[must_use]
pub fn seal(caller: &Caller, after: &PaymentId, key: &SecretString) -> String {
    let tag = mac(key, seal_cursor(caller, after.as_str()).as_bytes());
    let mut bytes: Vec<u8> = tag.into_iter().take(SEAL_BYTES).collect();
    bytes.extend_from_slice(after.as_str().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Where `cursor` goes on in `caller`'s list.
pub fn open(caller: &Caller, cursor: &str, key: &SecretString) -> Result<PaymentId, CursorError> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| CursorError)?;
    let (tag, after) = bytes.split_at_checked(SEAL_BYTES).ok_or(CursorError)?;
    let after = std::str::from_utf8(after).map_err(|_| CursorError)?;
    let whole = mac(key, seal_cursor(caller, after).as_bytes());
    let expected = whole.get(..SEAL_BYTES).ok_or(CursorError)?;
    // Comparing MACs of both tags takes the same time wherever they differ.
    if !verify(key, expected, &mac(key, tag)) {
        return Err(CursorError);
    }
    after.parse().map_err(|_| CursorError)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(merchant: &str, live: bool) -> Caller {
        Caller {
            merchant: merchant.parse().expect("a merchant"),
            live,
        }
    }

    #[test]
    fn only_the_owner_can_use_a_cursor() {
        let key = SecretString::from("seal");
        let id = PaymentId::from_parts(1, 2);
        let cursor = seal(&caller("acme", true), &id, &key);
        assert_eq!(open(&caller("acme", true), &cursor, &key), Ok(id.clone()));
        assert_eq!(
            open(&caller("acme", false), &cursor, &key),
            Err(CursorError)
        );
        assert_eq!(
            open(&caller("other", true), &cursor, &key),
            Err(CursorError)
        );
        assert_eq!(
            open(&caller("acme", true), &cursor, &SecretString::from("x")),
            Err(CursorError)
        );
    }

    #[test]
    fn forged_cursors_are_refused() {
        let key = SecretString::from("seal");
        let me = caller("acme", true);
        let cursor = seal(&me, &PaymentId::from_parts(1, 2), &key);
        for place in 0..cursor.len() {
            let mut forged = cursor.clone().into_bytes();
            forged[place] = if forged[place] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).expect("ASCII");
            // The last character may carry unused bits only; then it is not valid base64.
            assert_eq!(open(&me, &forged, &key), Err(CursorError), "{place}");
        }
        for junk in ["", "x", "AAAA", "%00", "🦀"] {
            assert_eq!(open(&me, junk, &key), Err(CursorError), "{junk}");
        }
    }
}
