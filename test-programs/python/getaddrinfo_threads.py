"""Names are looked up by many threads at the same time."""
import socket
from _check import *

COUNT = 50
answers = []


def look_up(i):
    for _ in range(5):
        found = socket.getaddrinfo("localhost", 1000 + i, socket.AF_INET, socket.SOCK_STREAM)
        answers.append({address for *_, address in found} == {("127.0.0.1", 1000 + i)})
        check_eq(socket.getaddrinfo("::1", i, 0, socket.SOCK_DGRAM)[0][4][:2], ("::1", i))
        check_eq(socket.gethostbyname("127.0.0.1"), "127.0.0.1")
        check_eq(socket.getnameinfo(("127.0.0.1", 80), socket.NI_NUMERICHOST | socket.NI_NUMERICSERV), ("127.0.0.1", "80"))
        check_raises(socket.gaierror, socket.getaddrinfo, "localhost", "no-such-service")


run_all(COUNT, look_up)
check_eq(answers, [True] * COUNT * 5)
check_eq(kernel_threads(), 1, "kernel threads afterwards") if GREEN else None
