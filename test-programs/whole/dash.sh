# dash, and the job control of dash and bash on a terminal: traps, wait, pipelines, stopped and continued jobs.
cat > script <<'END'
trap 'echo at exit' EXIT
trap 'echo got USR1' USR1
kill -USR1 $$
seq 1 20 | while read n; do echo $((n * n)); done | tail -3
for i in 1 2 3; do (exit $i) & eval pid$i=$!; done
for i in 1 2 3; do eval wait \$pid$i; echo "job $i: $?"; done
sleep 100 & kill $!; wait $! 2>/dev/null; echo "killed: $?"
(trap 'echo terminated; exit 9' TERM; echo ready > p; while :; do sleep 0.05; done) & child=$!
read -r line < p; kill -TERM $child; wait $child; echo "trapped: $?"
x=$(echo a | tr a b; exit 3); echo "$x $?"
cat <<X | tr a-z A-Z
here
X
sleep 0.3 & wait; echo "all waited for"
set -e
false
END
mkfifo p
dash script; echo "dash: $?"
dash -c 'echo $0 "$@"' name 1 2
echo 'read x; echo "x=$x"; cat' | cat - /dev/null | (echo first; cat) | dash | head -3
cat > jobs <<'END'
set -m
sleep 100 | cat &
kill %1; wait %1; echo "job: $?"
sh -c 'kill -STOP $$; exit 7' &
while [ "$(ps -o state= -p $!)" != T ]; do sleep 0.02; done
fg %% > /dev/null; echo "resumed: $?"
(exit 5) & wait $!; echo "status: $?"
echo pipeline | cat | tr a-z A-Z
END
for shell in dash bash; do script -qec "$shell jobs" /dev/null < /dev/null 2>/dev/null | tr -d '\r' | sed 's/[0-9]\{3,\}/N/g' | grep -v '^\[' ; done
