//! Ctrl-C and SIGTERM: the first asks to stop, the second stops at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;

/// Watches for both signals for as long as the runtime lives.
pub(crate) fn watch(stop: &CancellationToken) {
    let stop = stop.clone();
    // Registered before the command starts, so that no signal is missed in between.
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.is_cancelled() {
                std::process::exit(i32::from(Exit::Interrupted.code()));
            }
            stop.cancel();
        }
    });
}
