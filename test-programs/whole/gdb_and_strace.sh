# gdb attaches to a program with threads, finds main in its wait, and lets it go on; strace -f follows one. All run under the shim.
set -e
command -v gcc gdb strace > /dev/null || { echo "skipped: no gcc, gdb or strace"; exit 77; }
cat > wait.c <<'C'
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <unistd.h>
static sem_t sem;
static void *body(void *arg) { sem_wait(&sem); return arg; }
static int wait_for_input(void) { char c; return (int)read(0, &c, 1); }
int main(void) {
    pthread_t t[3];
    for (int i = 0; i < 3; i++) pthread_create(&t[i], 0, body, 0);
    write(1, "ready\n", 6);
    wait_for_input();
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
# The program may be stopped for a while before it comes to its wait.
for _ in 1 2 3 4 5 6 7 8 9 10; do
    gdb -nx -batch -iex 'set libthread-db-search-path /nonexistent' -iex 'set debuginfod enabled off' -p $pid \
        -ex bt > stacks 2> errors < /dev/null || true
    grep -q ptrace errors && { echo "skipped: no ptrace here"; kill $pid; exit 77; }
    ! grep -q wait_for_input stacks || break
    sleep 0.2
done
grep -o 'in wait_for_input\|in main' stacks
echo >&3
read -r line <&4
echo "$line"
wait $pid
echo "status $?"
echo | strace -f -o trace ./wait
grep -c 'exited with 0' trace | sed 's/^[1-9].*/exits/'
rm -f wait wait.c in out stacks errors trace
