"""Outgoing mail: rows in an outbox, written with what they tell of and sent later."""
