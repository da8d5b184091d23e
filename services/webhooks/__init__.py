"""Webhooks by the Standard Webhooks specification, kept in Postgres and sent by our workers."""
