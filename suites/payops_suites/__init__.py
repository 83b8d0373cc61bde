"""Suites that the delivery pipeline runs against a payments API, by HTTP alone."""
