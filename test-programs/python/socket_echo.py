"""Blocking sockets between threads of one process."""
import os
import socket
import tempfile
import threading
from _check import *

CLIENTS = 200


def receive(sock, size):
    data = bytearray()
    while len(data) < size:
        piece = sock.recv(size - len(data))
        check(piece, f"the connection ended after {len(data)} of {size} bytes")
        data += piece
    return bytes(data)


def serve(connection):
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def accept_all(listener, count):
    handlers = [start(serve, listener.accept()[0]) for _ in range(count)]
    join(*handlers)


def echo(family, address, make):
    listener = make()
    listener.listen(CLIENTS)
    server = start(accept_all, listener, CLIENTS)
    together = threading.Barrier(CLIENTS + 1)

    def client(i):
        with socket.socket(family) as sock:
            sock.connect(listener.getsockname())
            sock.sendall(b"%d" % (i % 10))
            check_eq(receive(sock, 1), b"%d" % (i % 10))
            together.wait(PATIENCE)
            together.wait(PATIENCE)
            for n in range(5):
                data = (b"%d:%d " % (i, n)) * (1 + i * n)
                sock.sendall(data)
                check_eq(receive(sock, len(data)), data)
            sock.shutdown(socket.SHUT_WR)
            check_eq(sock.recv(1), b"", "end of the stream")

    clients = [start(client, i) for i in range(CLIENTS)]
    together.wait(PATIENCE)
    check_kernel_threads(native=2 * CLIENTS + 2)
    together.wait(PATIENCE)
    join(server, *clients)
    listener.close()


def bound(family, address):
    sock = socket.socket(family)
    sock.bind(address)
    return sock


echo(socket.AF_INET, None, lambda: bound(socket.AF_INET, ("127.0.0.1", 0)))
with tempfile.TemporaryDirectory() as folder:
    echo(socket.AF_UNIX, None, lambda: bound(socket.AF_UNIX, os.path.join(folder, "s")))

# More than the buffers hold, in both directions at once.
left, right = socket.socketpair()
big = os.urandom(8 << 20)
got = {}
join(*[start(end.sendall, big) for end in (left, right)],
     *[start(lambda end=end: got.update({end: receive(end, len(big))})) for end in (left, right)])
check(got[left] == big and got[right] == big, "8 MiB each way")

# A file over a socket reads lines; a thread that waits for one lets the others run.
lines = []


def read_lines():
    with right.makefile("r") as file:
        lines.extend(file)


reader = start(read_lines)
for n in range(100):
    left.sendall(b"line %d\n" % n)
left.shutdown(socket.SHUT_WR)
join(reader)
check_eq(lines, [f"line {n}\n" for n in range(100)])
left.close()
right.close()

# Timeouts and non-blocking mode, set by the program itself.
left, right = socket.socketpair()
left.settimeout(0.05)
check_raises(socket.timeout, left.recv, 1)
left.setblocking(False)
check_raises(BlockingIOError, left.recv, 1)
left.setblocking(True)
t = start(lambda: check_eq(left.recv(10), b"late"))
time.sleep(0.02)
right.sendall(b"late")
join(t)
right.close()
check_eq(left.recv(1), b"")
left.close()

# Two threads, one descriptor, both directions; and several readers of one datagram socket.
a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
received = []
readers = [start(lambda: received.append(a.recv(100))) for _ in range(20)]
for n in range(20):
    b.send(b"%d" % n)
join(*readers)
check_eq(sorted(map(int, received)), list(range(20)))

udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", 0))
replies = []


def answer():
    for _ in range(50):
        data, sender = udp.recvfrom(100)
        udp.sendto(data[::-1], sender)


def ask(i):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect(udp.getsockname())
        sock.send(b"<%d>" % i)
        replies.append(sock.recv(100))


server = start(answer)
run_all(50, ask)
join(server)
check_eq(sorted(replies), sorted((b"<%d>" % i)[::-1] for i in range(50)))

# A refused connection, from many threads.
closed = socket.socket()
closed.bind(("127.0.0.1", 0))
run_all(20, lambda _: check_raises(ConnectionRefusedError, socket.create_connection, closed.getsockname(), 5))
