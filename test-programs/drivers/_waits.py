"""What C code may wait for under somebody else's hub: each wait lets the other greenlets run."""

import _greenlets


def run(name):
    green = _greenlets.use(name)
    import _socket
    import ctypes
    import gc
    import greenpatch
    import os
    import select
    import socket
    import time
    from _check import check, check_eq, eventually, kernel_threads

    libc = ctypes.CDLL(None, use_errno=True)
    if name == "gevent":
        import gevent._hub_local
        check(gevent._hub_local.get_hub_if_exists() is None, "importing greenpatch.gevent made a hub")
        # Without one, there is nobody else to run.
        check_eq(libc.usleep(1000), 0)
    turns = [0]

    def count_turns():
        while True:
            turns[0] += 1
            green.sleep(0.001)

    others = green.spawn(count_turns)

    def check_others_run(what, function, *args):
        """While a greenlet waits in `function`, others get turns."""
        before = turns[0]
        result = green.result(function, *args)
        check(turns[0] > before, f"{what}: the others got no turn")
        return result

    # Sleeps; more of them at once than could be over one after another before the limit.
    check_eq(check_others_run("usleep", libc.usleep, 50000), 0)
    begin = time.monotonic()
    green.join([green.spawn(libc.usleep, 400000) for _ in range(100)])
    took = time.monotonic() - begin
    check(0.4 <= took < 20, f"100 sleeps of 0.4 s took {took:.2f} s")

    # Reads: several on one descriptor, each gets one byte.
    r, w = os.pipe()

    def read(fd=r):
        buffer = ctypes.create_string_buffer(10)
        size = libc.read(fd, buffer, 1)
        return buffer.raw[:size] if size >= 0 else ctypes.get_errno()

    got = []
    readers = [green.spawn(lambda: got.append(read())) for _ in range(5)]
    green.sleep(0.02)
    check_eq(got, [], "what the readers have read")
    for byte in b"abcde":
        os.write(w, bytes([byte]))
        green.sleep(0)
    green.join(readers)
    check_eq(sorted(got), [b"a", b"b", b"c", b"d", b"e"])

    # One socket for both directions: who reads and who writes wait for the same descriptor. It is a blocking one; patched
    # sockets are not.
    a, b = _socket.socketpair()
    b = socket.socket(fileno=b.detach())
    size, blob = 3_000_000, ctypes.create_string_buffer(3_000_000)
    sent, answers = [], []
    writer = green.spawn(lambda: sent.append(libc.send(a.fileno(), blob, size, 0)))
    reader = green.spawn(lambda: answers.append(read(a.fileno())))
    green.sleep(0.01)
    received = 0
    while received < size:
        received += len(b.recv(1 << 20))
    b.send(b"!")
    green.join([writer, reader])
    check_eq((sent, answers), ([size], [b"!"]))

    # poll and select, with and without their descriptor.
    poll = green.original("select", "poll") if name == "gevent" else None
    if poll:
        poller = poll()
        poller.register(r, select.POLLIN if hasattr(select, "POLLIN") else 1)
        check_eq(check_others_run("poll that times out", poller.poll, 50), [])
        late = green.spawn(lambda: (green.sleep(0.02), os.write(w, b"x")))
        check_eq(green.result(poller.poll, 10000), [(r, 1)])
        green.join([late])
        check_eq(read(), b"x")
    original_select = green.original("select", "select")
    check_eq(check_others_run("select that times out", original_select, [r], [], [], 0.05), ([], [], []))
    late = green.spawn(lambda: (green.sleep(0.02), os.write(w, b"y")))
    check_eq(green.result(original_select, [r, a.fileno()], [], [], 10), ([r], [], []))
    green.join([late])
    check_eq(read(), b"y")

    # A lock that a greenlet holds while it waits: who wants it lets the holder run.
    mutex = ctypes.create_string_buffer(40)
    order = []

    def critical(i):
        check_eq(libc.pthread_mutex_lock(mutex), 0)
        order.append(i)
        libc.usleep(1000)
        order.append(i)
        check_eq(libc.pthread_mutex_unlock(mutex), 0)

    members = [green.spawn(critical, i) for i in range(10)]
    green.join(members)
    check_eq(len(order), 20, "turns with the lock")
    check_eq(order[::2], order[1::2], "who had the lock")

    # connect and accept.
    listener = _socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(20)

    def accept():
        fd = libc.accept(listener.fileno(), None, None)
        connection = socket.socket(fileno=fd)
        connection.sendall(connection.recv(100).upper())
        connection.close()

    def client(i):
        with socket.create_connection(listener.getsockname()) as connection:
            connection.sendall(b"client %d" % i)
            return connection.recv(100)

    green.join([green.spawn(accept) for _ in range(10)] +
               [green.spawn(lambda i=i: got.append(client(i))) for i in range(10)])
    check_eq(sorted(got[5:]), sorted(b"CLIENT %d" % i for i in range(10)))

    # errno is that of the call, whatever ran meanwhile.
    def fails_late():
        check_eq(read(r), b"z")
        check_eq(libc.read(-1, None, 0), -1)
        before = ctypes.get_errno()
        libc.usleep(2000)
        return before

    late = green.spawn(lambda: (green.sleep(0.01), os.write(w, b"z")))
    check_eq(green.result(fails_late), 9, "errno")

    # Another kernel thread's calls are its own.
    done = []
    start = green.original("_thread", "start_new_thread")
    original_sleep = green.original("time", "sleep")
    start(lambda: (original_sleep(0.05), done.append(1)), ())
    check(kernel_threads() >= 2, "no second kernel thread")
    eventually(lambda: done or green.sleep(0.001), "the other thread's sleep")

    # The hub of another thread.
    if name == "gevent":
        import gevent
        import greenpatch.gevent

        def with_hub():
            greenpatch.gevent.install()
            begin = time.monotonic()
            greenlets = [gevent.spawn(libc.usleep, 200000) for _ in range(50)]
            gevent.joinall(greenlets)
            done.append(time.monotonic() - begin)
            gevent.get_hub().destroy(destroy_loop=True)

        start(with_hub, ())
        eventually(lambda: len(done) == 2 or green.sleep(0.001), "the other thread's hub")
        check(0.2 <= done[1] < 9, f"50 sleeps of 0.2 s in another thread took {done[1]:.2f} s")
        # It has ended with its thread; this one's goes on.
        check_others_run("usleep", libc.usleep, 20000)

    # A thread's registration ends with the thread, and whoever collects what is left of it keeps his own; so does the child
    # of a fork, where all other threads are gone.
    def registers(ends):
        greenpatch.register(lambda *_: greenpatch.PASS)
        done.append(1)
        while not ends:
            original_sleep(0.001)

    del done[:]
    ends, before_them = [], kernel_threads()
    for _ in range(5):
        start(registers, (ends,))
    eventually(lambda: len(done) == 5 or green.sleep(0.001), "threads that register")
    pid = os.fork()
    if pid == 0:
        gc.collect()
        os._exit(0 if greenpatch.is_patched("socket") else 1)
    check_eq(os.waitpid(pid, 0), (pid, 0), "the child of a fork")
    ends.append(True)
    eventually(lambda: kernel_threads() <= before_them or green.sleep(0.001), "threads that registered do not end")
    gc.collect()
    check(greenpatch.is_patched("socket"), "another thread's end ended this one's registration")
    check_others_run("usleep", libc.usleep, 20000)
    green.kill(others)
    print("ok")
