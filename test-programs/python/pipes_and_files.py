"""Pipes, FIFOs, files and terminals in threads."""
import fcntl
import pty
import tempfile
import threading
from _check import *

folder = tempfile.TemporaryDirectory()
path = lambda name: os.path.join(folder.name, name)

# A chain of pipes, each with a thread that copies, and more data than fits.
data = os.urandom(1 << 20)
pipes = [os.pipe() for _ in range(20)]


def copy(i):
    with open(pipes[i][0], "rb", 0) as source, open(pipes[i + 1][1], "wb", 0) as sink:
        while piece := source.read(65536):
            view = memoryview(piece)
            while view:
                view = view[sink.write(view):]


def feed():
    with open(pipes[0][1], "wb") as sink:
        sink.write(data)


threads = [start(copy, i) for i in range(19)]
check_kernel_threads(native=20)
threads.append(start(feed))
with open(pipes[19][0], "rb") as source:
    check(source.read() == data, "what came through twenty pipes")
join(*threads)

# One write of more than a pipe holds is written whole.
r, w = os.pipe()
writer = start(lambda: check_eq(os.write(w, data), len(data)))
got = b""
while len(got) < len(data):
    got += os.read(r, 4096)
join(writer)
check(got == data, "one large write")
check(not fcntl.fcntl(r, fcntl.F_GETFL) & os.O_NONBLOCK and not fcntl.fcntl(w, fcntl.F_GETFL) & os.O_NONBLOCK, "O_NONBLOCK was set")

# End of file, a broken pipe, and descriptors that the program made non-blocking.
reader = start(lambda: check_eq(os.read(r, 1), b""))
os.close(w)
join(reader)
os.close(r)
r, w = os.pipe()
os.close(r)
run_all(3, lambda _: check_raises(BrokenPipeError, os.write, w, b"x"))
os.close(w)
r, w = os.pipe2(os.O_NONBLOCK)
run_all(3, lambda _: check_raises(BlockingIOError, os.read, r, 1))

# A FIFO: opening waits for the other end.
os.mkfifo(path("fifo"))
lines = []


def read_fifo():
    with open(path("fifo")) as fifo:
        lines.extend(fifo)


reader = start(read_fifo)
time.sleep(0.01)
check_eq(lines, [])
with open(path("fifo"), "w") as fifo:
    fifo.write("one\ntwo\n")
join(reader)
check_eq(lines, ["one\n", "two\n"])


# Files, each thread its own and all one together.
def write_file(i):
    text = f"line {i}\n" * 2000
    with open(path(f"file {i}"), "w+") as file:
        file.write(text)
        os.fsync(file.fileno())
        file.seek(0)
        check_eq(file.read(), text)
        check_eq(os.pread(file.fileno(), 6, len(f"line {i}\n")), f"line {i}\n".encode()[:6])
    log = os.open(path("log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for n in range(20):
        os.write(log, b"%d %d\n" % (i, n))
    os.close(log)


run_all(20, write_file)
with open(path("log")) as log:
    check_eq(sorted(tuple(map(int, line.split())) for line in log), [(i, n) for i in range(20) for n in range(20)])

# Locks on files, between descriptions of one process.
holder = open(path("log"))
fcntl.flock(holder, fcntl.LOCK_EX)
got = []


def wait_for_lock():
    with open(path("log")) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        got.append(1)


threads = [start(wait_for_lock) for _ in range(5)]
time.sleep(0.01)
check_eq(got, [])
fcntl.flock(holder, fcntl.LOCK_UN)
join(*threads)
check_eq(len(got), 5)
holder.close()

# A terminal: lines, and a hang-up.
master, slave = pty.openpty()
lines = []
with open(slave, closefd=False) as terminal:
    reader = start(lambda: lines.append(terminal.readline()))
    time.sleep(0.01)
    os.write(master, b"typed\n")
    join(reader)
check_eq(lines, ["typed\n"])
check_eq(os.read(master, 100), b"typed\r\n")
check(not fcntl.fcntl(slave, fcntl.F_GETFL) & os.O_NONBLOCK, "O_NONBLOCK was set on the terminal")
os.close(slave)
check_helpers_end()
folder.cleanup()
