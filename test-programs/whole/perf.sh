# perf record and perf report: a program with threads is sampled while it computes, and its functions are found.
set -e
command -v gcc perf > /dev/null || { echo "skipped: no gcc or perf"; exit 77; }
perf record -q -N -e cpu-clock -o data true > /dev/null 2>&1 || { echo "skipped: perf may not record here"; exit 77; }
cat > two.c <<'C'
#include <pthread.h>
#include <stdio.h>
__attribute__((noinline)) double much(double x, long n) { for (long i = 0; i < n; i++) x = x * 1.0000001 + 0.5; return x; }
__attribute__((noinline)) double little(double x, long n) { for (long i = 0; i < n; i++) x = x * 1.0000001 + 0.5; return x; }
static volatile double sink;
static void *body(void *arg) { sink = arg ? much(1, 100000000) : little(1, 10000000); return arg; }
int main(void) {
    pthread_t t[2];
    for (long i = 0; i < 2; i++) pthread_create(&t[i], 0, body, (void *)i);
    for (int i = 0; i < 2; i++) pthread_join(t[i], 0);
    return puts("end") < 0;
}
C
gcc -g -O0 -pthread -o two two.c
perf record -q -N -e cpu-clock -g -o data ./two
perf report -i data --no-children -g none -F overhead,symbol --stdio 2> errors > report
awk '$NF == "much" { much = $1 + 0 } $NF == "little" { little = $1 + 0 }
    END { print "sampled:", (much + little > 50), "much more than little:", (much > little) }' report
# Where they were called from.
perf script -i data 2>> errors | awk '$2 ~ /^much/ { inside = 1; next } inside && $2 ~ /^body/ { found = 1 } { inside = 0 }
    END { print "called by body:", found + 0 }'
rm -f two two.c data data.old report errors
