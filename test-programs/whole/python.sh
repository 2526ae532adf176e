# python3 -c: the interpreter's start and end, modules with threads and children, exceptions, exit statuses.
python3 -c 'print("hello", 6 * 7)'
python3 -c 'import sys; sys.exit(5)'; echo $?
python3 -c 'raise ValueError("seen")' 2>&1 | tail -1
python3 -c 'import os, signal; os.kill(os.getpid(), signal.SIGTERM)'; echo $?
echo 'print(sum(range(10)))' | python3
printf 'a\nb\n' | python3 -c 'import sys; [print(line.strip().upper()) for line in sys.stdin]'
python3 -c '
import threading, queue, json, hashlib, tempfile, zlib, subprocess, socket, time
q = queue.Queue()
t = [threading.Thread(target=lambda i=i: (time.sleep(i / 1000), q.put(i))) for i in range(20)]
[x.start() for x in t]; [x.join() for x in t]
print(sorted(q.queue))
print(hashlib.sha256(b"x" * 10000000).hexdigest(), len(zlib.compress(bytes(1000000))))
print(subprocess.run("echo child; exit 2", shell=True, capture_output=True))
print(json.dumps({"a": [1, 2.5, None]}))
a, b = socket.socketpair(); threading.Thread(target=b.sendall, args=(b"z" * 1000000,)).start()
n = 0
while n < 1000000: n += len(a.recv(65536))
print(n)
with open("file", "w") as f: f.write("written\n")
'
python3 -m json.tool <<< '{"k": [1, 2]}'
python3 -m compileall -q . ; echo $?
timeout 1 python3 -c 'import threading; threading.Event().wait()'; echo $?
