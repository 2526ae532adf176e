# python3 -m http.server, which makes a thread for each request, and curl against it; server and clients alike in the setting.
set -e
mkdir served
seq 1 100000 > served/numbers
python3 -u -m http.server --bind 127.0.0.1 --directory served 0 > log 2>/dev/null &
server=$!
trap 'kill $server; wait $server 2>/dev/null || true' EXIT
for i in $(seq 1 200); do grep -qs port log && break; sleep 0.05; done
port=$(sed -n 's/.*port \([0-9]*\).*/\1/p' log)
rm log
for i in $(seq 1 10); do curl -sS --noproxy '*' --max-time 30 -o "copy$i" "http://127.0.0.1:$port/numbers" & clients[i]=$!; done
for i in $(seq 1 10); do wait "${clients[i]}"; done
cksum copy*
curl -sS --noproxy '*' --max-time 30 "http://127.0.0.1:$port/" | grep -c numbers
curl -sS --noproxy '*' --max-time 30 -o /dev/null -w '%{http_code}\n' "http://127.0.0.1:$port/missing"
