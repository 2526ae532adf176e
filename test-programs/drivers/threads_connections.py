"""Threads that end without closing their connection leave no descriptor behind: peewee's of each thread, SQLAlchemy's pool."""
import os
import sys

sys.path[:0] = [os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "python")]
from _check import *

if "TEST_MYSQL_PORT" not in os.environ:
    skip("needs a server: scripts/mariadb run …")
try:
    import MySQLdb
    import peewee
    import sqlalchemy
    from sqlalchemy import orm, text
except ImportError as error:
    skip(str(error))
HOST, PORT = os.environ["TEST_MYSQL_HOST"], int(os.environ["TEST_MYSQL_PORT"])
THREADS = 10000 if "GP_FULL" in os.environ else 400
AT_ONCE = 20


def descriptors():
    return len(os.listdir("/proc/self/fd"))


most = 0


def many_threads(function):
    """THREADS of them, AT_ONCE at a time, each asks for its number; then as many descriptors are open as before."""
    global most
    before, right = descriptors(), []

    def member(i):
        right.append(function(i) == i)

    for begin in range(0, THREADS, AT_ONCE):
        threads = [start(member, begin + i) for i in range(AT_ONCE)]
        check_kernel_threads(native=0)
        join(*threads)
        most = max(most, descriptors() - before)
    check_eq((len(right), all(right)), (THREADS, True), "answers, and whether they are right")
    return before


# Where PyMySQL is installed too, peewee would take that.
peewee.mysql = MySQLdb

# peewee keeps a connection in each thread's local state. Nobody closes it: it goes with the thread.
database = peewee.MySQLDatabase("mysql", host=HOST, port=PORT, user="root", connect_timeout=20)


def with_peewee(i):
    database.connect()
    return database.execute_sql("SELECT %s", (i,)).fetchone()[0]


before = many_threads(with_peewee)
check(most <= AT_ONCE, f"peewee: {most} descriptors more than before")
check_eq(descriptors(), before, "peewee: descriptors")

# SQLAlchemy's pool is shared by the threads: at most 5 + 5 connections.
engine = sqlalchemy.create_engine(f"mysql+mysqldb://root@{HOST}:{PORT}/mysql", pool_size=5, max_overflow=5, pool_timeout=60)


def with_pool(i):
    with engine.connect() as connection:
        return connection.execute(text("SELECT :i"), {"i": i}).scalar()


most = 0
before = many_threads(with_pool)
check(most <= 10, f"SQLAlchemy's pool: {most} descriptors more than before")
check_eq(engine.pool.checkedout(), 0, "connections that are checked out")
engine.dispose()
check_eq(descriptors(), before, "SQLAlchemy's pool: descriptors")

# A session of each thread, removed as web frameworks do it at the end of a request.
session = orm.scoped_session(orm.sessionmaker(bind=engine))


def with_session(i):
    try:
        return session.execute(text("SELECT :i"), {"i": i}).scalar()
    finally:
        session.remove()


most = 0
before = many_threads(with_session)
check(most <= 10, f"SQLAlchemy's sessions: {most} descriptors more than before")
check_eq(engine.pool.checkedout(), 0, "connections that are checked out by sessions")
engine.dispose()
check_eq(descriptors(), before, "SQLAlchemy's sessions: descriptors")
print("ok")
