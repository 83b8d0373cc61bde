//! Watches that mend themselves. A stream that is dropped ends its requests.

pub(crate) mod backoff;
mod fleet;
mod lines;
mod related;
mod source;

pub(crate) use fleet::watch;
pub(crate) use related::watch_related;

use futures::StreamExt;
use futures::stream::{BoxStream, unfold};

use source::{Event, Source};

/// The events of `source`, each with `tag`.
fn stream<T: Copy + Send + 'static>(source: Source, tag: T) -> BoxStream<'static, (T, Event)> {
    unfold(source, move |mut source| async move {
        Some(((tag, source.next().await), source))
    })
    .boxed()
}
