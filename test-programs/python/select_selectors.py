"""select, poll, epoll and selectors in threads."""
import select
import selectors
import socket
import threading
from _check import *

COUNT = 30


def by_select(fd, timeout):
    return select.select([fd], [], [], timeout)[0] == [fd]


def by_poll(fd, timeout):
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return poll.poll(None if timeout is None else timeout * 1000) == [(fd, select.POLLIN)]


def by_epoll(fd, timeout):
    with select.epoll() as epoll:
        epoll.register(fd, select.EPOLLIN)
        return epoll.poll(timeout) == [(fd, select.EPOLLIN)]


def by_selector(fd, timeout):
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ, "data")
        events = selector.select(timeout)
        return [(key.fd, key.data, mask) for key, mask in events] == [(fd, "data", selectors.EVENT_READ)]


for wait in by_select, by_poll, by_epoll, by_selector:
    for make in os.pipe, lambda: [s.detach() for s in socket.socketpair()]:
        pairs = [make() for _ in range(COUNT)]
        order = []

        def member(i):
            check(wait(pairs[i][0], None), f"{wait.__name__}: the wrong event")
            check_eq(os.read(pairs[i][0], 10), b"x")
            order.append(i)
            if i + 1 < COUNT:
                os.write(pairs[i + 1][1], b"x")

        threads = [start(member, i) for i in range(COUNT)]
        check_kernel_threads(native=COUNT + 1)
        check_eq(order, [])
        os.write(pairs[0][1], b"x")
        join(*threads)
        check_eq(order, list(range(COUNT)))
        begin = time.monotonic()
        run_all(COUNT, lambda i: check(not wait(pairs[i][0], 0.05), f"{wait.__name__}: an event after the timeout"))
        check(time.monotonic() - begin >= 0.049, "the timeout came early")
        run_all(COUNT, lambda i: check(not wait(pairs[i][0], 0), f"{wait.__name__}: an event"))
        for pair in pairs:
            for fd in pair:
                os.close(fd)

# A server in one thread with a selector, clients that block in the others.
listener = socket.create_server(("127.0.0.1", 0), backlog=COUNT)
listener.setblocking(False)


def serve():
    left = COUNT
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while left:
            for key, _ in selector.select(PATIENCE):
                if key.fileobj is listener:
                    connection, _ = listener.accept()
                    connection.setblocking(False)
                    selector.register(connection, selectors.EVENT_READ)
                    continue
                data = key.fileobj.recv(1000)
                if data:
                    key.fileobj.send(data.upper())
                else:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    left -= 1


def client(i):
    with socket.create_connection(listener.getsockname()) as sock:
        for n in range(10):
            sock.sendall(b"client %d %d" % (i, n))
            check_eq(sock.recv(1000), b"CLIENT %d %d" % (i, n))


server = start(serve)
run_all(COUNT, client)
join(server)

# Writability, hang-up, and a bad descriptor.


def hangs_up(fd):
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return poll.poll() == [(fd, select.POLLHUP)]


r, w = os.pipe()
check_eq(select.select([], [w], [], 0)[1], [w])
waiter = start(lambda: check(hangs_up(r), "no hang-up"))


os.close(w)
join(waiter)
os.close(r)
check_eq(check_raises(OSError, select.select, [r], [], [], 0).errno, 9)
