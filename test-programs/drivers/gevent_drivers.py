"""MySQLdb and psycopg2, drivers in C, let the other greenlets of gevent run."""
import _queries

_queries.run("gevent")
