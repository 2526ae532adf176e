# Python's faulthandler dumps all threads, also from its watchdog thread; a profiler with SIGPROF samples threads that compute.
set -e
cat > dump.py <<'P'
import faulthandler, re, threading, time
stop = threading.Event()
def in_wait(): stop.wait()
def in_sleep():
    while not stop.is_set(): time.sleep(0.01)
def in_loop():
    while not stop.is_set(): pass
threads = [threading.Thread(target=f) for f in (in_wait, in_sleep, in_loop)]
for t in threads: t.start()
def seen():
    with open("dump") as file:
        return sorted(set(re.findall(r"in (in_wait|in_sleep|in_loop|<module>)", file.read())))
time.sleep(0.05)
with open("dump", "w") as file:
    faulthandler.dump_traceback(file, all_threads=True)
    print(seen())
with open("dump", "w") as file:
    faulthandler.dump_traceback_later(0.05, file=file)
    while len(seen()) < 4: time.sleep(0.02)
    print(seen())
stop.set()
for t in threads: t.join()
P
timeout 50 python3 dump.py
cat > profile.py <<'P'
import collections, signal, sys, threading
hits = collections.Counter()
def sample(signum, frame):
    for stack in sys._current_frames().values():
        while stack:
            hits[stack.f_code.co_name] += 1
            stack = stack.f_back
signal.signal(signal.SIGPROF, sample)
signal.setitimer(signal.ITIMER_PROF, 0.002, 0.002)
def compute():
    while hits["compute"] < 20:
        sum(range(1000))
thread = threading.Thread(target=compute)
thread.start()
compute()
thread.join()
signal.setitimer(signal.ITIMER_PROF, 0)
print("sampled:", hits["compute"] >= 20)
P
timeout 50 python3 profile.py
rm dump dump.py profile.py
