"""Children started, talked to, killed and waited for by many threads; the others run meanwhile."""
import signal
import subprocess
import sys
import threading
from _check import *

COUNT = 20


def talk(i):
    text = b"%d\n" % i * (1 + 5000 * (i % 2))
    done = subprocess.run(["cat"], input=text, stdout=subprocess.PIPE, timeout=PATIENCE)
    check_eq((done.returncode, done.stdout), (0, text))
    done = subprocess.run(f"echo out {i}; echo err {i} >&2; exit {i}", shell=True, capture_output=True, text=True, timeout=PATIENCE)
    check_eq((done.returncode, done.stdout, done.stderr), (i, f"out {i}\n", f"err {i}\n"))


run_all(COUNT, talk)

# All children live at once: each waits for a line that only comes when all have been started.
children = []
waiting = []


def hold(_):
    child = subprocess.Popen(["sh", "-c", "read line; echo got $line"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    children.append(child)
    waiting.append(child.stdout.readline())
    check_eq(child.wait(PATIENCE), 0)


threads = [start(hold, i) for i in range(COUNT)]
eventually(lambda: len(children) == COUNT, "twenty children")
check_kernel_threads(native=COUNT + 1)
check_eq(waiting, [])
for child in children:
    child.stdin.write("it\n")
    child.stdin.flush()
join(*threads)
check_eq(waiting, ["got it\n"] * COUNT)
for child in children:
    child.stdin.close()
    child.stdout.close()

# A wait without a timeout (wait4) in threads, while main goes on.
gate_r, gate_w = os.pipe()
children = [subprocess.Popen(["cat"], stdin=gate_r) for _ in range(COUNT)]
codes = []
threads = [start(lambda c=c: codes.append(c.wait())) for c in children]
time.sleep(0.01)
check_eq(codes, [])
os.close(gate_r)
os.close(gate_w)
join(*threads)
check_eq(codes, [0] * COUNT)

# Killed, timed out, and one that can't be started.
child = subprocess.Popen(["sleep", "1000"])
waiter = start(lambda: check_eq(child.wait(), -signal.SIGKILL))
child.kill()
join(waiter)
check_raises(subprocess.TimeoutExpired, subprocess.run, ["sleep", "1000"], timeout=0.05)
run_all(5, lambda _: check_raises(FileNotFoundError, subprocess.run, ["/nonexistent/program"]))

# A child of the same kind has threads of its own.
code = "import threading; t = [threading.Thread(target=print, args=(i,)) for i in range(5)]; [(x.start(), x.join()) for x in t]"
run_all(3, lambda _: check_eq(subprocess.check_output([sys.executable, "-c", code], timeout=PATIENCE), b"0\n1\n2\n3\n4\n"))

# os.system and os.popen, through libc's own ways.
run_all(5, lambda i: check_eq(os.waitstatus_to_exitcode(os.system(f"exit {i}")), i))
run_all(5, lambda i: check_eq(os.popen(f"echo {i}").read(), f"{i}\n"))
check_helpers_end()
