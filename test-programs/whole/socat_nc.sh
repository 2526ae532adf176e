# socat and netcat: relays over TCP and Unix sockets, one process per connection, both ends in the setting.
set -e
seq 1 60000 > numbers
# Serves the file to whoever connects, and keeps what it is sent. The port is whatever the kernel gives.
socat -d -d TCP4-LISTEN:0,bind=127.0.0.1,fork OPEN:numbers,rdonly 2> log &
server=$!
socat UNIX-LISTEN:relay,fork EXEC:'tr 0-9 a-j' &
relay=$!
trap 'kill $server $relay 2>/dev/null || true; wait $server $relay 2>/dev/null || true' EXIT
for i in $(seq 1 200); do grep -qs listening log && [[ -S relay ]] && break; sleep 0.05; done
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' log | head -1)
for i in 1 2 3 4; do socat -u "TCP4:127.0.0.1:$port" "CREATE:copy$i" & clients[i]=$!; done
for i in 1 2 3 4; do wait "${clients[i]}"; done
cksum copy1 copy2 copy3 copy4
nc -d 127.0.0.1 "$port" | cksum
socat -t 10 - UNIX-CONNECT:relay < numbers | cksum
nc -N -U relay < numbers | cksum
echo "half closed" | socat -t 10 - 'SYSTEM:cat; echo after the end'
socat -u OPEN:numbers 'SYSTEM:cksum'
socat -u EXEC:'seq 1 5',pty,rawer STDOUT
nc -z -w 5 127.0.0.1 1 || echo "refused: $?"
rm -f log relay
