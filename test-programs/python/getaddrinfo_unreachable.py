"""A hundred threads ask for names, and the only name server never answers: each gets its error, the others go on."""
import socket
import subprocess
import sys
import tempfile
import threading
from _check import *

COUNT = 100

if len(sys.argv) == 1:
    # Once more in network and mount namespaces of its own, with a resolv.conf of its own.
    conf = tempfile.NamedTemporaryFile("w", suffix=".conf")
    conf.write("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    conf.flush()
    if subprocess.run(["unshare", "-mn", "true"], stderr=subprocess.DEVNULL).returncode != 0 or not os.path.exists("/etc/resolv.conf"):
        skip("no right to make namespaces, or no resolv.conf")
    script = 'ip link set lo up && mount --bind "$1" /etc/resolv.conf && exec "$2" "$3" inside'
    sys.stdout.flush()
    done = subprocess.run(["unshare", "-mn", "sh", "-c", script, "sh", conf.name, sys.executable, __file__])
    os._exit(done.returncode)

silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 53))
ticks = [0]
stop = threading.Event()
started = threading.Barrier(COUNT)


def tick():
    while not stop.is_set():
        ticks[0] += 1
        time.sleep(0.005)


errors = []


def look_up(i):
    started.wait(PATIENCE)
    begin = ticks[0]
    error = check_raises(socket.gaierror, socket.getaddrinfo, f"name{i}.example.org", 80, socket.AF_INET, socket.SOCK_STREAM)
    errors.append(error.errno)
    check(ticks[0] > begin, "others went on meanwhile")
    # What needs no server is not delayed by it.
    check_eq(socket.getaddrinfo("127.0.0.1", 80, socket.AF_INET, socket.SOCK_STREAM)[0][4], ("127.0.0.1", 80))


ticker = start(tick)
run_all(COUNT, look_up)
stop.set()
join(ticker)
check_eq(errors, [socket.EAI_AGAIN] * COUNT)
silent.close()
