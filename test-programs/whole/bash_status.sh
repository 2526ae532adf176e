# A shell that dies of a signal, and what its parent sees.
{ bash -c 'kill -SEGV $$'; } 2>/dev/null; echo $?
{ bash -c 'kill -KILL $$'; } 2>/dev/null; echo $?
(trap '' PIPE; yes 2>/dev/null; echo "yes: $?" >&2) 2>status | head -1; cat status
sh -c 'exit 300'; echo $?
env -i /bin/sh -c 'echo empty environment'
(exec bash -c 'echo "replaced: $$" | sed "s/[0-9][0-9]*/PID/"; exit 3')
echo "status $?"
