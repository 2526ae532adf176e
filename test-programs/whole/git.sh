# Repositories: commits, branches, a merge, packs, a local clone over file:// with its own processes.
set -e
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@example.org
export GIT_AUTHOR_DATE="2001-02-03T04:05:06Z" GIT_COMMITTER_DATE="2001-02-03T04:05:06Z" GIT_CONFIG_NOSYSTEM=1
git config --global init.defaultBranch main
git config --global gc.auto 0
git config --global pack.threads 2
git init -q one
cd one
for i in $(seq 1 40); do
    mkdir -p "d$((i % 5))"
    seq "$i" $((i * 50)) > "d$((i % 5))/f$i"
    if ((i % 10 == 0)); then git add . && git commit -q -m "commit $i"; fi
done
git checkout -q -b side HEAD~2
echo side > side && git add side && git commit -q -m side
git checkout -q main
git merge -q --no-edit side
git log --stat --format='%H %an %s' | head -60
git grep -n '^1999$' -- d0 d4
git status --short --branch
git gc -q --prune=now
git fsck --full 2>/dev/null
cd ..
git clone -q "file://$PWD/one" two
git -C two log --oneline | head -3
git -C two checkout -q -b work
echo more >> two/side; git -C two commit -q -am more; git -C two push -q origin work
git -C one branch -a
git -C one diff main work
git -C one archive --format=tar work | tar -t | sort | head
# Their index holds inode numbers and times; the packs' bytes depend on how two threads shared the work.
rm -rf one/.git two/.git
