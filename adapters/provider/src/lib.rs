//! Payment providers: a simulated acquirer, and HTTP in Stripe's shape.
