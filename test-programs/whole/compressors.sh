# pigz and zstd with several threads give the same bytes, and back.
set -e
command -v pigz zstd > /dev/null || { echo "skipped: no pigz or zstd"; exit 77; }
seq 1 300000 > input
pigz -n -p 4 -c input | cksum
pigz -p 4 -c input | pigz -d -p 2 | cmp - input && echo same
zstd -q -T4 -3 -B65536 -c input | cksum
zstd -q -T4 -c input | zstd -q -d | cmp - input && echo same
rm input
