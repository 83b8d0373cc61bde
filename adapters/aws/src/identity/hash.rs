//! Names of cached sessions.

use sha2::{Digest as _, Sha256};

/// The first `digits` of a hash of several texts, none of which can run into the next.
pub(super) fn hash(parts: &[&str], digits: usize) -> String {
    let mut state = Sha256::new();
    for part in parts {
        state.update(part.len().to_be_bytes());
        state.update(part);
    }
    hex::encode(state.finalize()).chars().take(digits).collect()
}
