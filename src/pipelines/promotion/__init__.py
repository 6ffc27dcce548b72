"""Challenger becomes champion, in full or not at all: ledger, alias, service, then confirmed or undone."""
