"""A web server for the HTTP drivers: _web.py PORT [tls]. /sleep/SECONDS answers after that time, /big/BYTES with so many, /echo
with what was posted. The certificate is in TEST_TLS_CA and TEST_TLS_KEY."""

import asyncio
import os
import ssl
import sys


async def answer(reader, writer):
    try:
        while line := await reader.readline():
            method, path, _ = line.decode().split()
            length = 0
            while (header := (await reader.readline()).decode().strip().lower()):
                name, _, value = header.partition(":")
                if name == "content-length":
                    length = int(value)
                if name == "expect":
                    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(length)
            _, what, *rest = path.split("/")
            if what == "sleep":
                await asyncio.sleep(float(rest[0]))
                body = b"slept"
            elif what == "big":
                body = b"x" * int(rest[0])
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
            writer.write(body)
            await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def serve(port, tls):
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["TEST_TLS_CA"], os.environ["TEST_TLS_KEY"])
    server = await asyncio.start_server(answer, "127.0.0.1", port, ssl=context, backlog=500)
    await server.serve_forever()


asyncio.run(serve(int(sys.argv[1]), len(sys.argv) > 2))
