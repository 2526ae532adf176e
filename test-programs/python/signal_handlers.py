"""Python's signal handlers run in the main thread, which is blocked, while other threads are blocked too."""
import select
import signal
import socket
import threading
from _check import *

idle = threading.Event()
threads = [start(idle.wait) for _ in range(10)]
r, w = os.pipe()
threads.append(start(os.read, r, 1))
# CPython takes a thread for ended once a join of it was interrupted.
joined = start(idle.wait)

# alarm, in a sleep that goes on afterwards (PEP 475).
handled = []
signal.signal(signal.SIGALRM, lambda number, frame: handled.append(threading.current_thread() is threading.main_thread()))
begin = time.monotonic()
signal.setitimer(signal.ITIMER_REAL, 0.05)
time.sleep(0.2)
check(time.monotonic() - begin >= 0.199, "a signal cut the sleep short")
check_eq(handled, [True])

signal.alarm(1)
check(not threading.Event().wait(1.5), "an event that nobody sets")
check_eq(len(handled), 2, "handled alarms")

# Many signals, in each blocking call of main.
left, right = socket.socketpair()
late = start(lambda: (time.sleep(0.1), right.send(b"x")))
before = len(handled)
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
check_eq(left.recv(1), b"x")
check_eq(select.select([left], [], [], 0.1), ([], [], []))
check(threading.Semaphore(0).acquire(timeout=0.1) is False)
signal.setitimer(signal.ITIMER_REAL, 0)
join(late)
check(len(handled) - before >= 3, f"{len(handled) - before} signals handled")


# A handler that raises ends the blocking call.
class Interrupted(Exception):
    pass


def interrupt(number, frame):
    raise Interrupted


signal.signal(signal.SIGALRM, interrupt)
lock = threading.Lock()
lock.acquire()
for blocking in (lambda: time.sleep(PATIENCE), lock.acquire, lambda: left.recv(1), joined.join,
                 lambda: select.select([left], [], []), signal.pause, lambda: signal.sigwaitinfo([signal.SIGUSR2])):
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    check_raises(Interrupted, blocking)
signal.signal(signal.SIGALRM, signal.SIG_IGN)

# To a thread: pthread_kill, and sigwait in a thread for a signal that all others block.
usr = []
signal.signal(signal.SIGUSR1, lambda *_: usr.append(threading.current_thread() is threading.main_thread()))
signal.pthread_kill(threads[0].ident, signal.SIGUSR1)
eventually(lambda: usr == [True], "the handler of a signal to a thread")

signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
got = []
waiter = start(lambda: got.append(signal.sigwait([signal.SIGUSR2])))
signal.pthread_kill(waiter.ident, signal.SIGUSR2)
join(waiter)
check_eq(got, [signal.SIGUSR2])
signal.pthread_kill(threading.get_ident(), signal.SIGUSR2)
check_eq(signal.sigpending(), {signal.SIGUSR2})
check_eq(signal.sigtimedwait([signal.SIGUSR2], 1).si_signo, signal.SIGUSR2)
check_eq(signal.sigtimedwait([signal.SIGUSR2], 0.05), None)
mask = []
join(start(lambda: (signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP]), mask.append(signal.pthread_sigmask(signal.SIG_BLOCK, [])))))
check_eq(mask, [{signal.SIGUSR2, signal.SIGHUP}], "a thread's mask")
check_eq(signal.pthread_sigmask(signal.SIG_BLOCK, []), {signal.SIGUSR2}, "main's mask")

# The wake-up descriptor.
a, b = socket.socketpair()
b.setblocking(False)
signal.set_wakeup_fd(b.fileno())
os.kill(os.getpid(), signal.SIGUSR1)
check_eq(a.recv(1), bytes([signal.SIGUSR1]))
signal.set_wakeup_fd(-1)

# SIGCHLD, while main sleeps.
children = []
signal.signal(signal.SIGCHLD, lambda *_: children.append(1))
child = os.fork()
if child == 0:
    os._exit(5)
eventually(lambda: children, "SIGCHLD")
check_eq(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 5)

idle.set()
os.write(w, b"x")
join(joined, *threads)
