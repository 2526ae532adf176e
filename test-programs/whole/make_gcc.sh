# gcc through make -j2: drivers, cc1, as, collect2, ld, the job server's pipe.
set -e
for i in $(seq 1 8); do
    printf '#include <stdio.h>\n#include <stdlib.h>\nint f%d(int x) { return printf("f%d %%d\\n", x); }\n' "$i" "$i" > "f$i.c"
done
{ for i in $(seq 1 8); do echo "int f$i(int);"; done; echo 'int main(void) {'; for i in $(seq 1 8); do echo "f$i($i);"; done; echo 'return 0; }'; } > main.c
printf '#include <string>\n#include <iostream>\n#include <map>\nint main() { std::map<std::string, int> m{{"a", 1}}; for (auto &[k, v] : m) std::cout << k << v << "\\n"; }\n' > x.cc
printf 'objects := $(patsubst %%.c,%%.o,$(wildcard *.c))\nall: program x sub\nprogram: $(objects)\n\tgcc -o $@ $(sort $^)\n%%.o: %%.c\n\t@gcc -O2 -pipe -c -o $@ $<\nx: x.cc\n\tg++ -std=c++20 -O1 -o $@ $<\nsub: program\n\t+$(MAKE) --no-print-directory -f sub.mk\n' > Makefile
printf 'all: a b c d\na b c d:\n\t@sleep 0.02; echo $@ > $@\n' > sub.mk
make -s -j2
./program && ./x
cat a b c d
nm program | grep ' T f'
! echo 'int main( {' | gcc -x c -o /dev/null - 2>errors
grep -c error errors
! make -s -k -j2 -f /dev/null nothing 2>>errors
cat errors
