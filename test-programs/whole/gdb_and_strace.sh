# gdb attaches to a program with threads, finds main where it computes, and lets it go on; strace -f follows one.
# When all threads wait, gdb finds natively each in its wait, and the hub in its own under the shim.
set -e
command -v gcc gdb strace > /dev/null || { echo "skipped: no gcc, gdb or strace"; exit 77; }
cat > wait.c <<'C'
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>
static sem_t sem;
static void *body(void *arg) { sem_wait(&sem); return arg; }
static _Atomic int input;
static void *wait_for_input(void *arg) { char c; input = 1 + (int)read(0, &c, 1); return arg; }
static void compute_until_input(void) { while (!input) {} }
int main(void) {
    pthread_t t[3], reader;
    pthread_create(&reader, 0, wait_for_input, 0);
    for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, body, 0);
    write(1, "ready\n", 6);
    compute_until_input();
    pthread_join(reader, 0);
    for (int i = 0; i < 3; i++) sem_post(&sem);
    for (int i = 0; i < 3; i++) pthread_join(t[i], 0);
    return puts("end") < 0;
}
C
gcc -g -O0 -pthread -o wait wait.c
mkfifo in out
./wait < in > out &
pid=$!
exec 3> in 4< out
read -r line <&4
echo "$line"
# The program may be stopped anywhere else.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    LD_PRELOAD= gdb -nx -batch -iex 'set libthread-db-search-path /nonexistent' -iex 'set debuginfod enabled off' -p $pid \
        -ex 'thread apply all bt' > stacks 2> errors < /dev/null || true
    grep -q ptrace errors && { echo "skipped: no ptrace here"; kill $pid; exit 77; }
    ! grep -q 'in main' stacks || break
    sleep 0.2
done
grep -o 'compute_until_input\|in main' stacks
echo >&3
read -r line <&4
echo "$line"
wait $pid
echo "status $?"
# Armed from the start, strace itself hangs: there it runs without the shim, and only what it follows runs under it.
if [ "$GREENPATCH_ARM" = start ]; then
    echo | LD_PRELOAD= strace -f -o trace -E LD_PRELOAD="$LD_PRELOAD" ./wait
else
    echo | strace -f -o trace ./wait
fi
grep -c 'exited with 0' trace | sed 's/^[1-9].*/exits/'
rm -f wait wait.c in out stacks errors trace
