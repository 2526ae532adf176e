"""Stands between a client and a server: _proxy.py PORT. Prints the port that it listens on. Whoever started it sends a number of
seconds on a line, and every answer of the server is delayed by it from then on; killed, it looks like a server that died."""

import asyncio
import sys

delay = 0.0


async def copy(reader, writer, delayed):
    try:
        while data := await reader.read(1 << 16):
            if delayed and delay:
                await asyncio.sleep(delay)
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    writer.close()


async def accepted(reader, writer):
    there = await asyncio.open_connection("127.0.0.1", int(sys.argv[1]))
    await asyncio.gather(copy(reader, there[1], False), copy(there[0], writer, True))


async def main():
    global delay
    server = await asyncio.start_server(accepted, "127.0.0.1", 0, backlog=500)
    print(server.sockets[0].getsockname()[1], flush=True)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    while line := await lines.readline():
        delay = float(line)
        print("ok", flush=True)


try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
