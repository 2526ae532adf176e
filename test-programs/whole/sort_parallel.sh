# sort --parallel makes threads; small buffers make it use files and children too.
set -e
seq 1 300000 | awk '{ print ($1 * 7919) % 300007, $1 }' > input
sort --parallel=4 -n input | cksum
sort --parallel=4 -S 1M -T . -n input | cksum
sort --parallel=4 -S 1M -T . --compress-program=gzip -k2,2nr input | cksum
seq 1 100000 | sort --parallel=4 -r | uniq | wc -l
seq 1 1000 | sort --parallel=4 -R --random-source=/dev/zero | head -3
sort --parallel=4 -c input 2>/dev/null || echo "unsorted: $?"
sort -m <(seq -w 1 2 1000) <(seq -w 2 2 1000) | cksum
rm input
