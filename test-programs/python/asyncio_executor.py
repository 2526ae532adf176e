"""asyncio in the main thread and in others, with blocking work in an executor."""
import asyncio
import concurrent.futures
import signal
import threading
from _check import *


def blocking(i):
    time.sleep(0.005 * (i % 5))
    return i


async def with_executor():
    loop = asyncio.get_running_loop()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        barrier = threading.Barrier(20)
        await asyncio.gather(*[loop.run_in_executor(pool, barrier.wait, PATIENCE) for _ in range(20)])
        check_kernel_threads(native=21)
        # The loop's own timers go on while threads block.
        ticks = []

        async def tick():
            while True:
                ticks.append(1)
                await asyncio.sleep(0.001)

        ticking = asyncio.create_task(tick())
        check_eq(await asyncio.gather(*[loop.run_in_executor(pool, blocking, i) for i in range(100)]), list(range(100)))
        gate = threading.Event()
        waiting = loop.run_in_executor(pool, gate.wait, PATIENCE)
        seen = len(ticks)
        while len(ticks) < seen + 3:
            await asyncio.sleep(0.001)
        check(not waiting.done(), "the gate is closed")
        gate.set()
        check_eq(await waiting, True)
        ticking.cancel()
    check_eq(await asyncio.to_thread(blocking, 7), 7)


asyncio.run(with_executor())


async def echo_server():
    async def handle(reader, writer):
        while line := await reader.readline():
            writer.write(line.upper())
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def client(i):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in range(5):
            writer.write(b"line %d %d\n" % (i, n))
            check_eq(await reader.readline(), b"LINE %d %d\n" % (i, n))
        writer.close()

    async with server:
        await asyncio.gather(*[client(i) for i in range(30)])


asyncio.run(echo_server())

# A loop in each of several threads, reached from outside.
loops = []


def run_loop():
    loop = asyncio.new_event_loop()
    loops.append(loop)
    loop.run_forever()
    loop.close()


threads = [start(run_loop) for _ in range(10)]
eventually(lambda: len(loops) == 10 and all(loop.is_running() for loop in loops), "ten loops")


async def double(i):
    await asyncio.sleep(0.001)
    return 2 * i


pending = [asyncio.run_coroutine_threadsafe(double(i), loops[i % 10]) for i in range(100)]
check_eq([p.result(PATIENCE) for p in pending], [2 * i for i in range(100)])
for loop in loops:
    loop.call_soon_threadsafe(loop.stop)
join(*threads)


# Children and signals.
async def child_and_signal():
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    check_eq((await child.communicate(b"to cat"))[0], b"to cat")
    check_eq(child.returncode, 0)
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    await asyncio.wait_for(got.wait(), PATIENCE)


asyncio.run(child_and_signal())
check_helpers_end()
