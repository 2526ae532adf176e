# gcc -pg and gprof: SIGPROF finds the functions in which threads compute, in the right proportion.
set -e
command -v gcc gprof > /dev/null || { echo "skipped: no gcc or gprof"; exit 77; }
cat > two.c <<'C'
#include <pthread.h>
__attribute__((noinline)) double much(double x, long n) { for (long i = 0; i < n; i++) x = x * 1.0000001 + 0.5; return x; }
__attribute__((noinline)) double little(double x, long n) { for (long i = 0; i < n; i++) x = x * 1.0000001 + 0.5; return x; }
static volatile double sink;
static void *body(void *arg) { sink = arg ? much(1, 300000000) : little(1, 30000000); return arg; }
int main(void) {
    pthread_t t[2];
    for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, body, (void *)i);
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
}
C
gcc -pg -O1 -no-pie -pthread -o two two.c
./two
gprof -b -p two gmon.out > flat
awk '$NF == "much" { much = $3 } $NF == "little" { little = $3 } END { print "sampled:", (much + little > 0.1), "much more than little:", (much > little) }' flat
rm -f two two.c gmon.out flat
