"""MySQLdb, a C driver: threads with a connection each wait in SELECT SLEEP at the same time.

    mysqldb_sleep.py [threads [seconds]]     the server is in TEST_MYSQL_{HOST,PORT,USER}
"""
import threading
from _check import *

try:
    import MySQLdb
except ImportError as error:
    skip(f"{error}: install python3-mysqldb")
if "TEST_MYSQL_PORT" not in os.environ:
    skip("needs a server: scripts/mariadb run …")

COUNT = int(sys.argv[1]) if len(sys.argv) > 1 else 200
SECONDS = float(sys.argv[2]) if len(sys.argv) > 2 else 0.5
barrier = threading.Barrier(COUNT + 1)


def connect():
    return MySQLdb.connect(host=os.environ["TEST_MYSQL_HOST"], port=int(os.environ["TEST_MYSQL_PORT"]), user=os.environ["TEST_MYSQL_USER"])


def member(i):
    db = connect()
    cursor = db.cursor()
    barrier.wait(PATIENCE)
    barrier.wait(PATIENCE)
    cursor.execute(f"SELECT SLEEP({SECONDS}), %s, REPEAT('x', %s), CONNECTION_ID()", (i * 7919, i))
    slept, number, text, connection = cursor.fetchone()
    check_eq((slept, number, text), (0, i * 7919, "x" * i), "the row")
    with lock:
        results[i] = connection
    db.close()


# As one after another this takes COUNT * SECONDS. A machine that is busy elsewhere gets three tries to be quick.
limit = max(2.0, 4 * SECONDS)
lock = threading.Lock()
for attempt in range(3):
    results = {}
    begin = time.monotonic()
    threads = [start(member, i) for i in range(COUNT)]
    barrier.wait(PATIENCE)
    connected = time.monotonic()
    seen = kernel_threads()
    check_kernel_threads(native=COUNT + 1)
    barrier.wait(PATIENCE)
    join(*threads)
    end = time.monotonic()
    check_eq(sorted(results), list(range(COUNT)), "threads with a result")
    check_eq(len(set(results.values())), COUNT, "number of connections")
    if end - begin < limit:
        break
check(end - begin < limit, f"{COUNT} sleeps of {SECONDS} s took {end - begin:.2f} s")
check_helpers_end()
print(f"threads={COUNT} sleep_s={SECONDS} kernel_threads={seen} connect_s={connected - begin:.2f} query_s={end - connected:.2f} "
      f"wall_s={end - begin:.2f}")
