"""Queries per second of a MySQL driver in many threads.

    queries.py mysqldb|gevent THREADS SECONDS

`gevent` is PyMySQL in gevent's greenlets, everything patched. The server's place is in TEST_MYSQL_{HOST,PORT,USER}.
"""
import sys

driver, count, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
if driver == "gevent":
    import gevent.monkey
    gevent.monkey.patch_all()
    import pymysql as driver_module
else:
    import MySQLdb as driver_module
import os
import threading
import time

place = {"host": os.environ["TEST_MYSQL_HOST"], "port": int(os.environ["TEST_MYSQL_PORT"]), "user": os.environ["TEST_MYSQL_USER"]}
connected = threading.Barrier(count + 1)
results = []
begin = 0


def work(number):
    cursor = driver_module.connect(**place).cursor()
    connected.wait(60)
    connected.wait(60)
    done = 0
    while time.monotonic() < begin + seconds:
        cursor.execute("SELECT %s", (number * 1000000 + done,))
        if cursor.fetchone()[0] != number * 1000000 + done:
            sys.exit("a wrong answer")
        done += 1
    results.append(done)


threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
for thread in threads:
    thread.start()
connected.wait(60)
begin, cpu = time.monotonic(), time.process_time()
connected.wait(60)
for thread in threads:
    thread.join()
wall, cpu = time.monotonic() - begin, time.process_time() - cpu
if len(results) != count:
    sys.exit(f"{count - len(results)} threads failed")
print(f"queries={sum(results)} wall_s={wall} cpu_s={cpu} kernel_threads={len(os.listdir('/proc/self/task'))}")
