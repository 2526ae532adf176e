# git clone, fetch and push over a daemon that socat starts for each connection; everything in the setting.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE="2001-02-03T04:05:06Z" GIT_COMMITTER_DATE="2001-02-03T04:05:06Z" GIT_CONFIG_NOSYSTEM=1
git config --global init.defaultBranch main
git config --global pack.threads 2
git config --global safe.directory '*'
git init -q --bare shared.git
git init -q work
for i in $(seq 1 30); do seq "$i" $((i * 100)) > "work/f$i"; done
git -C work add . && git -C work commit -q -m first
git -C work push -q ../shared.git main
socat -d -d TCP4-LISTEN:0,bind=127.0.0.1,fork EXEC:"git daemon --inetd --export-all --enable=receive-pack --base-path=$PWD" 2> log &
server=$!
trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
for i in $(seq 1 200); do grep -qs listening log && break; sleep 0.05; done
port=$(sed -n 's/.*listening on .*:\([0-9]*\)$/\1/p' log | head -1)
url=git://127.0.0.1:$port/shared.git
for i in 1 2 3; do git clone -q "$url" "clone$i" & clients[i]=$!; done
for i in 1 2 3; do wait "${clients[i]}"; done
for i in 1 2 3; do git -C "clone$i" log --format=%H; diff -r -x .git work "clone$i" && echo same; done
echo more > clone1/more; git -C clone1 add more; git -C clone1 commit -q -m second; git -C clone1 push -q origin main
git -C clone2 pull -q && cat clone2/more
git ls-remote "$url" | sort
git -C clone3 fsck --full 2> /dev/null
rm -rf log work/.git clone*/.git shared.git
