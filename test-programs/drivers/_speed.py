"""Queries per second of one driver in one mode.

    _speed.py DRIVER MODE WORKERS SECONDS     modes as in _matrix.py

Each worker, a thread or a greenlet, has a connection and asks for ten short rows again and again.
"""

import sys

driver_name, mode = sys.argv[1:3]
if mode.startswith("gevent"):
    import gevent.monkey
    gevent.monkey.patch_all()
elif mode.startswith("eventlet"):
    import eventlet
    eventlet.monkey_patch()
if mode == "gevent-guest":
    import greenpatch.gevent
elif mode == "eventlet-guest":
    import greenpatch.eventlet

import json
import resource
import threading
import time

from _drivers import DRIVERS

QUERY = "SELECT seq, seq * seq, CONCAT('row ', seq) FROM seq_1_to_10"
WANTED = [(i, i * i, f"row {i}") for i in range(1, 11)]
WORKERS, SECONDS = int(sys.argv[3]), float(sys.argv[4])
counts = [0] * WORKERS
barrier = threading.Barrier(WORKERS + 1)
over = False


def worker(i):
    connection = DRIVERS[driver_name]()
    barrier.wait(60)
    while not over:
        if list(connection.run(QUERY)) != WANTED:
            raise SystemExit("a wrong answer")
        counts[i] += 1
    connection.close()


threads = [threading.Thread(target=worker, args=(i,)) for i in range(WORKERS)]
for thread in threads:
    thread.start()
barrier.wait(60)
before, begin = sum(counts), time.monotonic()
cpu = time.process_time()
time.sleep(SECONDS)
queries, seconds, cpu = sum(counts) - before, time.monotonic() - begin, time.process_time() - cpu
over = True
for thread in threads:
    thread.join(60)
if min(counts) == 0:
    raise SystemExit("a worker got no turn")
print(json.dumps({"per_second": queries / seconds, "cpu": cpu / seconds, "fewest": min(counts), "most": max(counts),
                  "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
