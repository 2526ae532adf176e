// A library with thread-local variables that is loaded while threads exist.
static __thread int counter = 100;
static __thread char block[3000];

int tls_library_add(int n) {
    block[(unsigned)n % sizeof block]++;
    counter += n;
    return counter;
}
