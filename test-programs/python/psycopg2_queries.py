"""psycopg2, on libpq: threads wait in queries at the same time; a lost connection, a cancelled query, COPY, notifications."""
import io
import threading
from _check import *

try:
    import psycopg2
    import psycopg2.extensions
except ImportError as error:
    skip(f"{error}: install python3-psycopg2")
if "TEST_PG_PORT" not in os.environ:
    skip("needs a server: scripts/servers run …")

COUNT, SECONDS = 50, 0.5
TABLE = f"test_{os.getpid()}"


def connect():
    return psycopg2.connect(host=os.environ["TEST_PG_HOST"], port=os.environ["TEST_PG_PORT"], user=os.environ["TEST_PG_USER"],
                            dbname="postgres")


def one(db, query, *args):
    with db.cursor() as cursor:
        cursor.execute(query, args)
        return cursor.fetchone()[0]


barrier = threading.Barrier(COUNT + 1)
got = {}


def member(i):
    db = connect()
    barrier.wait(PATIENCE)
    barrier.wait(PATIENCE)
    with db.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s), %s, repeat('x', %s)", (SECONDS, i * 7919, i * 10000))
        got[i] = cursor.fetchone()
    db.close()


# As in mysqldb_sleep.py: one after another this takes COUNT * SECONDS, and a busy machine gets three tries.
for attempt in range(3):
    got.clear()
    threads = [start(member, i) for i in range(COUNT)]
    barrier.wait(PATIENCE)
    check_kernel_threads(native=COUNT + 1)
    begin = time.monotonic()
    barrier.wait(PATIENCE)
    join(*threads)
    took = time.monotonic() - begin
    check_eq(got, {i: ("", i * 7919, "x" * i * 10000) for i in range(COUNT)})
    if took < COUNT * SECONDS / 4:
        break
check(took < COUNT * SECONDS / 4, f"{COUNT} sleeps of {SECONDS} s took {took:.2f} s")

# Bulk data in both directions, prepared statements, transactions that wait for each other.
admin = connect()
admin.autocommit = True
admin.cursor().execute(f"CREATE TABLE {TABLE} (thread int, n int, text text)")
admin.cursor().execute(f"CREATE TABLE {TABLE}_counter AS SELECT 0 AS value")


def fill(i):
    db = connect()
    cursor = db.cursor()
    cursor.copy_from(io.StringIO("".join(f"{i}\t{n}\ttext {i} {n}\n" for n in range(2000))), TABLE)
    cursor.execute(f"PREPARE s (int) AS SELECT text FROM {TABLE} WHERE thread = {i} AND n = $1")
    db.commit()
    cursor.execute("EXECUTE s (%s)", (i * 10,))
    check_eq(cursor.fetchall(), [(f"text {i} {i * 10}",)])
    out = io.StringIO()
    cursor.copy_expert(f"COPY (SELECT n, text FROM {TABLE} WHERE thread = {i} ORDER BY n) TO STDOUT", out)
    check_eq(out.getvalue(), "".join(f"{n}\ttext {i} {n}\n" for n in range(2000)))
    for _ in range(3):
        value = one(db, f"SELECT value FROM {TABLE}_counter FOR UPDATE")
        cursor.execute(f"UPDATE {TABLE}_counter SET value = %s", (value + 1,))
        db.commit()
    db.close()


run_all(10, fill)
check_eq(one(admin, f"SELECT count(*) FROM {TABLE}"), 20000)
check_eq(one(admin, f"SELECT value FROM {TABLE}_counter"), 30)
admin.cursor().execute(f"DROP TABLE {TABLE}, {TABLE}_counter")

# Cancelled from another thread, ended by the server, ended by its own timeout.
for end, kind in (("cancel", psycopg2.extensions.QueryCanceledError), ("terminate", psycopg2.OperationalError),
                  ("timeout", psycopg2.extensions.QueryCanceledError)):
    db = connect()
    pid = db.get_backend_pid()
    if end == "timeout":
        db.cursor().execute("SET statement_timeout = 100")
    thread = start(lambda: check_raises(kind, one, db, "SELECT pg_sleep(100)"))
    if end != "timeout":
        eventually(lambda: one(admin, "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event = 'PgSleep'", pid) == 1, end)
        if end == "cancel":
            db.cancel()
        else:
            one(admin, "SELECT pg_terminate_backend(%s)", pid)
    join(thread)
    db.close()
error = check_raises(psycopg2.OperationalError, psycopg2.connect, host="127.0.0.1", port=1, user="nobody")
check("refused" in str(error), str(error))
admin.close()
check_helpers_end()
print("ok")
