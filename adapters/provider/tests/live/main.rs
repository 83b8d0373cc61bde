//! The HTTP provider against the Stripe server that `live/run` starts.

mod stripe;
