# find, xargs -P2, grep, awk, sed: many short processes.
set -e
for d in 1 2 3 4 5; do mkdir "d$d"; for f in $(seq 1 20); do seq "$f" $((f * d)) > "d$d/f$f"; done; done
find . -type f -name 'f1*' -print0 | sort -z | xargs -0 -n 3 wc -l | awk '$2 != "total" { n += $1 } END { print n }'
find . -type f | xargs -P2 -n1 sh -c 'cksum < "$0" > "$0.sum"'
find . -name '*.sum' | sort | xargs cat | cksum
seq 1 60 | xargs -P2 -I{} sh -c 'echo {} > d1/x{}'
cat d1/x* | sort -n | tr '\n' ' '; echo
find . -name 'x*' -exec rm {} +
find d2 -type f -not -name '*.sum' -exec grep -l '^7$' {} \; | sort | head -5
printf '1\n2\n3\n' | xargs -P2 -n1 sh -c 'exit $((($0 == 2) * 255))' 2>/dev/null || echo "xargs: $?"
printf 'b 2\na 1\n' | sort | awk '{ print $2 | "sort -rn" }' | sed 's/^/n=/'
seq 1 1000000 | tee >(wc -l > count) | tail -1; for i in $(seq 1 100); do [[ -s count ]] && break; sleep 0.02; done; cat count
