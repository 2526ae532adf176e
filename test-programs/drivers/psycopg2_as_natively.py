"""psycopg2's queries, big results, TLS and failures are the same with native threads, green threads and greenlets."""
import _as_natively

_as_natively.run("psycopg2", "psycopg2", "PG", "refused", "killed", "timed_out")
