"""Rollups: what stays of telemetry when the samples are gone, filled by our own scheduler on every grade."""
