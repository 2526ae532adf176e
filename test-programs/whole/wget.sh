# wget from a server with a thread per request, both in the setting: files, a whole folder, a part, errors.
set -e
mkdir -p served/folder
seq 1 100000 > served/numbers
for i in $(seq 1 20); do seq "$i" $((i * 10)) > "served/folder/f$i"; done
python3 -u -m http.server --bind 127.0.0.1 --directory served 0 > log 2>/dev/null &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
for i in $(seq 1 200); do grep -qs port log && break; sleep 0.05; done
base=http://127.0.0.1:$(sed -n 's/.*port \([0-9]*\).*/\1/p' log)
rm log
wget() { command wget -q --no-proxy --tries=5 --waitretry=1 --retry-connrefused --timeout=30 "$@"; }
for i in 1 2 3 4 5; do wget -O "copy$i" "$base/numbers" & clients[i]=$!; done
for i in 1 2 3 4 5; do wait "${clients[i]}"; done
cksum copy*
wget -r -nH -np -R 'index.html*' "$base/folder/"
diff -r served/folder folder && echo same
wget -O - "$base/folder/f7" | cksum
wget -O none "$base/missing" || echo "missing: $?"
command wget -q --tries=1 -O none http://127.0.0.1:1/ || echo "refused: $?"
rm -f none
