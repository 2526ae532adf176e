# Builtins, expansions, pipelines, substitutions, jobs, traps, here documents.
set -u
echo "pid is ours: $(( $$ == $(sh -c 'echo $PPID') ))"
for i in {1..20}; do echo "$i $((i * i))"; done | while read -r a b; do printf '%03d:%s\n' "$a" "$b"; done | tail -5
cat <<< "here string"
cat <<END
here document $(echo nested $(echo deeper))
END
diff <(seq 1 10) <(seq 1 11); echo "diff said $?"
f() { local x=$1; ((x <= 1)) && echo 1 && return; echo $((x * $(f $((x - 1))))); }
f 8
for i in 1 2 3; do (exit "$i") & pids[i]=$!; done
for i in 1 2 3; do wait "${pids[i]}"; echo "job $i: $?"; done
trap 'echo got USR1' USR1; kill -USR1 $$; (trap 'echo at exit' EXIT; exit 4); echo "subshell: $?"
sleep 100 & kill $!; wait $! 2>/dev/null; echo "killed job: $?"
coproc tr a-z A-Z
echo through a coprocess >&"${COPROC[1]}"; eval "exec ${COPROC[1]}>&-"; cat <&"${COPROC[0]}"; wait
read -r -t 0.05 line < <(sleep 0.3); echo "read timed out: $(($? > 128))"
mapfile -t lines < <(printf '%s\n' x y z); echo "${#lines[@]} ${lines[2]}"
yes | head -3
set -o pipefail; false | true; echo "pipefail: $?"
mkfifo p; (echo into a FIFO > p) & cat p; wait
exec 5<>p; echo twice >&5; read -r line <&5; echo "$line"
time_limit=$(timeout 0.1 sleep 5; echo $?); echo "timeout: $time_limit"
nonexistent_command 2>/dev/null; echo "not found: $?"
(exit 7); echo "last: $?"
