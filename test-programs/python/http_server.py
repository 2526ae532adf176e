"""http.server.ThreadingHTTPServer and urllib clients in one process."""
import http.server
import threading
import urllib.error
import urllib.request
from _check import *

CLIENTS = 50
together = threading.Barrier(CLIENTS + 1)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/together/"):
            together.wait(PATIENCE)
            together.wait(PATIENCE)
        if self.path == "/missing":
            self.send_error(404)
            return
        body = self.path.encode() * 1000
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body[::-1])

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = CLIENTS
    daemon_threads = False


server = Server(("127.0.0.1", 0), Handler)
base = "http://127.0.0.1:%d" % server.server_port
open_url = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
serving = start(server.serve_forever)


def client(i):
    path = f"/together/{i}"
    with open_url(base + path, timeout=PATIENCE) as reply:
        check_eq(reply.status, 200)
        check_eq(reply.read(), path.encode() * 1000)
    for n in range(3):
        body = (b"%d.%d " % (i, n)) * 2000
        with open_url(base, data=body, timeout=PATIENCE) as reply:
            check_eq(reply.read(), body[::-1])


clients = [start(client, i) for i in range(CLIENTS)]
# Every request is being served: a thread each for the clients and for the handlers, the server's own and main.
together.wait(PATIENCE)
check_kernel_threads(native=2 * CLIENTS + 2)
together.wait(PATIENCE)
join(*clients)
check_eq(check_raises(urllib.error.HTTPError, open_url, base + "/missing").code, 404)
server.shutdown()
join(serving)
server.server_close()
check_raises(urllib.error.URLError, open_url, base)
check_helpers_end()
