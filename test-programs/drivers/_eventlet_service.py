"""An eventlet WSGI service with SQLAlchemy's pool on MySQLdb, as OpenStack's services are made: _eventlet_service.py SOCKET."""

import os
import sys

if "TEST_GUEST" in os.environ:
    import greenpatch.eventlet
import eventlet
eventlet.monkey_patch()

import json
import signal
import socket

import eventlet.wsgi
import sqlalchemy
from sqlalchemy import text

from _check import kernel_threads

engine = sqlalchemy.create_engine(f"mysql+mysqldb://root@{os.environ['TEST_MYSQL_HOST']}:{os.environ['TEST_MYSQL_PORT']}/mysql",
                                  pool_size=10, max_overflow=20, pool_timeout=60)


def serve(environ, start_response):
    _, what, *words = environ["PATH_INFO"].split("/")
    if what == "slow":
        with engine.connect() as connection:
            value = connection.execute(text("SELECT :value + SLEEP(:seconds)"), {"value": int(words[0]), "seconds": float(words[1])}).scalar()
        answer = {"value": int(value), "kernel_threads": kernel_threads()}
    else:
        answer = {"descriptors": len(os.listdir("/proc/self/fd")), "checked_out": engine.pool.checkedout()}
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(answer).encode()]


# An exception would be raised wherever a greenlet stands, be it in a destructor, which swallows it.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
eventlet.wsgi.server(eventlet.listen(sys.argv[1], family=socket.AF_UNIX), serve, custom_pool=eventlet.GreenPool(100), log_output=False)
