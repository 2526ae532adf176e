# rsync over a pipe to another process of its own: a first copy, changes, deletions, a dry run.
set -e
mkdir -p from/a/b to
for i in $(seq 1 40); do seq "$i" $((i * 300)) > "from/a/f$i"; done
head -c 3000000 /dev/zero | tr '\0' x > from/big
ln -s a/f1 from/link
printf '#!/bin/sh\nshift\nexec "$@"\n' > remote
chmod +x remote
touch -d 2001-02-03 from/big from/a/* from/a/b from/a from
rsync -a -e ./remote from/ host:"$PWD/to/"
diff -r from to && echo same
echo changed >> from/big
rm from/a/f3
touch -d 2001-02-04 from/big from/a
rsync -a --delete -i -e ./remote from/ host:"$PWD/to/"
diff -r from to && echo same again
rsync -a -n -i -e ./remote host:"$PWD/to/" from/ | wc -l
rsync -a -z -e ./remote host:"$PWD/to/a" back/
ls back/a | wc -l
rsync -a -e ./remote host:"$PWD/missing" back/ 2> /dev/null || echo "missing: $?"
