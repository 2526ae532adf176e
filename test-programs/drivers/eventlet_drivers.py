"""MySQLdb and psycopg2, drivers in C, let the other greenlets of eventlet run."""
import _queries

_queries.run("eventlet")
