"""200 threads sleep at the same time."""
import threading
from _check import *

COUNT = 200
lock, asleep, most, ended = threading.Lock(), 0, 0, []
ready = threading.Barrier(COUNT + 1)


def member(i):
    global asleep, most
    ready.wait(PATIENCE)
    with lock:
        asleep += 1
        most = max(most, asleep)
    begin = time.monotonic()
    time.sleep(0.5)
    slept = time.monotonic() - begin
    with lock:
        asleep -= 1
        ended.append(i)
    check(slept >= 0.4999, f"slept {slept} s instead of 0.5")


# A machine that is busy for longer than the sleep may let some end before the last begins.
for attempt in range(5):
    asleep, most, ended = 0, 0, []
    threads = [start(member, i) for i in range(COUNT)]
    ready.wait(PATIENCE)
    check_kernel_threads(native=COUNT + 1)
    join(*threads)
    check_eq(sorted(ended), list(range(COUNT)))
    if most == COUNT:
        break
check_eq(most, COUNT, "number of threads asleep at the same time")

# Many short ones, and sleep(0).
done = []
run_all(50, lambda i: [time.sleep(0.001 * (i % 5)) for _ in range(20)] and done.append(i))
check_eq(len(done), 50)
check_raises(ValueError, time.sleep, -1)
