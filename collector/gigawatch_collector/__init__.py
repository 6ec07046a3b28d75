"""Receives OTLP, decodes it, writes it to the database, answers after commit."""
