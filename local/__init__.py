"""The embedded stack for one machine: PostgreSQL and Valkey from wheels, one supervisor."""
