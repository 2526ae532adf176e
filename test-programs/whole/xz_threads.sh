# xz -T2: liblzma's worker threads, with their condition variables.
set -e
command -v xz > /dev/null || { echo "skipped: no xz"; exit 77; }
seq 1 400000 > input
xz -T2 -1 --block-size=262144 -k input
cksum input.xz
xz -T2 -dc input.xz | cmp - input && echo same
xz -T4 -2 --block-size=131072 -c < input | xz -dc -T2 | cksum
xz -l input.xz | tail -1
head -c 1000 input.xz | xz -dc > /dev/null 2>&1 || echo "truncated: $?"
rm input
