# redis-benchmark with threads against a server that runs natively, then a server in the setting.
set -e
serve() { redis-server --port 0 --unixsocket "$PWD/$1" --save '' --appendonly no --daemonize no > /dev/null & }
ready() { for i in $(seq 1 200); do redis-cli -s "$1" ping > /dev/null 2>&1 && return; sleep 0.05; done; }
preload=${LD_PRELOAD-}
unset LD_PRELOAD
serve native
native=$!
ready native
export LD_PRELOAD=$preload
[[ -n $preload ]] || unset LD_PRELOAD
trap 'kill $native $other 2>/dev/null || true; wait 2>/dev/null || true' EXIT
serve other
other=$!
ready other
for server in native other; do
    redis-benchmark -s $server --threads 3 -c 10 -n 1000 -t set,incr,lpush -q | tr '\r' '\n' | sed -n 's/^\([A-Z]*\): [0-9.]* requests per second.*/\1 done/p'
    [[ $(redis-cli -s $server get counter:__rand_int__) == 1000 ]] && echo counted
    redis-cli -s $server llen mylist
    seq 1 500 | sed 's/.*/set k& &/' | redis-cli -s $server --pipe | tail -1
    redis-cli -s $server dbsize
    redis-cli -s $server shutdown nosave
done
wait $native $other || echo "ended with $?"
