# tar and its compressors through pipes.
set -e
mkdir -p tree/{a,b,c}
for i in $(seq 1 30); do seq 1 $((i * 300)) > "tree/a/f$i"; head -c $((i * 1000)) /dev/zero > "tree/b/z$i"; done
ln -s ../a/f1 tree/c/link
fixed=(--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner)
tar "${fixed[@]}" -c tree | gzip -n > one.tar.gz
gzip -dc one.tar.gz | tar -tv | cksum
mkdir out && tar -xzf one.tar.gz -C out && diff -r tree out/tree && echo same
tar "${fixed[@]}" -czf - tree | gzip -t && echo "gzip is content"
tar "${fixed[@]}" --use-compress-program='gzip -n9' -cf two.tar.gz tree
tar "${fixed[@]}" -c tree | (cd out && mkdir again && tar -x -C again) && find out | sort | cksum
! gzip -dc < /dev/null > /dev/null 2>&1 || true
head -c 5000000 /dev/zero | gzip -n | gzip -d | cksum
rm -rf tree out
