//! Conformance suites of the ports, a clock to turn by hand, and faults on demand.
