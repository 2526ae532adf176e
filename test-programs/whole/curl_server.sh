# curl from a local server, which runs natively: curl's resolver thread, its transfers, several at once.
set -e
mkdir -p served/folder
seq 1 200000 > served/numbers
echo small > served/folder/small
env -u LD_PRELOAD python3 -u -c '
import http.server, functools
class H(http.server.SimpleHTTPRequestHandler):
    def date_time_string(self, timestamp=None): return "Sat, 01 Jan 2000 00:00:00 GMT"
    def log_message(self, *a): pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(H, directory="served"))
print(s.server_port, flush=True)
s.serve_forever()' > port &
server=$!
trap 'kill $server; wait $server 2>/dev/null || true' EXIT
for i in $(seq 1 200); do [[ -s port ]] && break; sleep 0.05; done
base=http://localhost:$(cat port)
rm port
curl() { command curl -sS -4 --noproxy '*' --max-time 30 "$@"; }
curl "$base/numbers" | cksum
curl -o copy "$base/numbers" -o copy2 "$base/folder/small"
cmp copy served/numbers && cat copy2
curl -I "$base/folder/small"
curl -f "$base/missing" 2>/dev/null || echo "missing: $?"
curl --parallel -o a "$base/numbers" -o b "$base/numbers" -o c "$base/numbers" 2>/dev/null
cksum a b c
curl -r 10-19 "$base/folder/../folder/small" || true
curl "http://127.0.0.1:1/" 2>/dev/null || echo "refused: $?"
curl "http://name.invalid/" 2>/dev/null || echo "no such name: $?"
curl file://$PWD/served/folder/small
rm -rf served
