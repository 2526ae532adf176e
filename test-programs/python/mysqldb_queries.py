"""MySQLdb in threads: large results, locks that wait for each other, transactions, errors, a lost connection, TCP and socket."""
import threading
from _check import *

try:
    import MySQLdb
except ImportError as error:
    skip(f"{error}: install python3-mysqldb")
if "TEST_MYSQL_PORT" not in os.environ:
    skip("needs a server: scripts/mariadb run …")

COUNT = 20
DATABASE = f"test_{os.getpid()}"


def connect(by_socket=False, **kwargs):
    if by_socket:
        kwargs["unix_socket"] = os.environ["TEST_MYSQL_SOCKET"]
    else:
        kwargs.update(host=os.environ["TEST_MYSQL_HOST"], port=int(os.environ["TEST_MYSQL_PORT"]))
    return MySQLdb.connect(user=os.environ["TEST_MYSQL_USER"], **kwargs)


def one(cursor, query, *args):
    cursor.execute(query, args)
    return cursor.fetchone()[0]


admin = connect()
admin.cursor().execute(f"CREATE DATABASE {DATABASE}")
admin.cursor().execute(f"CREATE TABLE {DATABASE}.t (thread INT, n INT, text VARCHAR(100)) ENGINE=InnoDB")
admin.cursor().execute(f"CREATE TABLE {DATABASE}.counter (value INT) ENGINE=InnoDB")
admin.cursor().execute(f"INSERT INTO {DATABASE}.counter VALUES (0)")
admin.commit()


def fill(i):
    db = connect(by_socket=i % 2 == 1, db=DATABASE)
    cursor = db.cursor()
    cursor.executemany("INSERT INTO t VALUES (%s, %s, %s)", [(i, n, f"text {i} {n}") for n in range(500)])
    db.commit()
    cursor.execute("SELECT n, text FROM t WHERE thread = %s ORDER BY n", (i,))
    check_eq(cursor.fetchall(), tuple((n, f"text {i} {n}") for n in range(500)))
    # Several packets of 16 MiB would need a server setting; this is many reads of the socket.
    check_eq(len(one(cursor, "SELECT REPEAT('y', 1000000)")), 1000000)
    db.close()


run_all(COUNT, fill)
check_eq(one(admin.cursor(), f"SELECT COUNT(*) FROM {DATABASE}.t"), COUNT * 500)
admin.commit()


# Every transaction waits for the row lock of another thread of this process.
def increment(i):
    db = connect(db=DATABASE)
    cursor = db.cursor()
    for _ in range(5):
        value = one(cursor, "SELECT value FROM counter FOR UPDATE")
        cursor.execute("UPDATE counter SET value = %s", (value + 1,))
        db.commit()
    db.close()


run_all(COUNT, increment)
check_eq(one(admin.cursor(), f"SELECT value FROM {DATABASE}.counter"), 5 * COUNT)
admin.commit()

# A thread waits for a lock that main holds, and gets it when main lets go.
cursor = admin.cursor()
check_eq(one(cursor, "SELECT GET_LOCK('it', 1)"), 1)
got = []


def wait_for_lock():
    db = connect()
    got.append(one(db.cursor(), "SELECT GET_LOCK('it', 20)"))
    db.close()


thread = start(wait_for_lock)
eventually(lambda: one(cursor, "SELECT COUNT(*) FROM information_schema.processlist WHERE state = 'User lock'") == 1, "a waiting thread")
check_eq(got, [])
one(cursor, "SELECT RELEASE_LOCK('it')")
join(thread)
check_eq(got, [1])

# Errors come to the thread that made them.
def errors(i):
    db = connect()
    check_eq(check_raises(MySQLdb.ProgrammingError, db.cursor().execute, f"SELECT wrong syntax {i} {i}").args[0], 1064)
    check_eq(check_raises(MySQLdb.ProgrammingError, db.cursor().execute, f"SELECT * FROM {DATABASE}.missing{i}").args[0], 1146)
    check_eq(one(db.cursor(), "SELECT %s", i), i)
    db.close()


run_all(COUNT, errors)
error = check_raises(MySQLdb.OperationalError, MySQLdb.connect, host="127.0.0.1", port=1, user="root")
check(error.args[0] in (2002, 2003), f"error {error}")

# A connection that the server ends while its thread waits; and a read timeout of the driver.
ids = []


def lose():
    db = connect()
    ids.append(db.thread_id())
    error = check_raises(MySQLdb.OperationalError, db.cursor().execute, "SELECT SLEEP(100)")
    check(error.args[0] in (1927, 2006, 2013), f"error {error}")


thread = start(lose)
asleep = "SELECT COUNT(*) FROM information_schema.processlist WHERE id = %s AND state = 'User sleep'"
eventually(lambda: ids and one(cursor, asleep, ids[0]) == 1, "a sleeping thread")
cursor.execute("KILL %s", (ids[0],))
join(thread)


def time_out(_):
    db = connect(read_timeout=1)
    error = check_raises(MySQLdb.OperationalError, db.cursor().execute, "SELECT SLEEP(100)")
    check(error.args[0] in (2006, 2013), f"error {error}")


run_all(5, time_out)
cursor.execute(f"DROP DATABASE {DATABASE}")
admin.close()
check_helpers_end()
