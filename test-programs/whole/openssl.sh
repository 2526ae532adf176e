# openssl: a TLS server that serves files, clients that fetch them, several at once; both in the setting.
set -e
mkdir served
seq 1 30000 > served/numbers
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key -out certificate -days 2 -subj /CN=localhost 2> /dev/null
(cd served && exec openssl s_server -accept 127.0.0.1:0 -key ../key -cert ../certificate -WWW -naccept 6) > log 2> /dev/null &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
for i in $(seq 1 200); do grep -qs ACCEPT log && break; sleep 0.05; done
port=$(sed -n 's/^ACCEPT.*:\([0-9]*\)$/\1/p' log | head -1)
fetch() { printf 'GET /%s HTTP/1.0\r\n\r\n' "$1" | openssl s_client -connect "127.0.0.1:$port" -CAfile certificate -quiet -ign_eof 2> /dev/null; }
for i in 1 2 3 4; do fetch numbers > "copy$i" & clients[i]=$!; done
for i in 1 2 3 4; do wait "${clients[i]}" || true; done
cksum copy1 copy2 copy3 copy4
fetch numbers | tail -n 30000 | cmp - served/numbers && echo same
fetch missing | head -1
wait $server || echo "server: $?"
openssl dgst -sha256 served/numbers
openssl enc -aes-256-ctr -pbkdf2 -k secret < served/numbers | openssl enc -d -aes-256-ctr -pbkdf2 -k secret | cmp - served/numbers && echo decrypted
rm key certificate log
