# A threaded Java program with safepoints, garbage collection, NullPointerException and StackOverflowError by SIGSEGV.
set -e
command -v java javac > /dev/null || { echo "skipped: no java"; exit 77; }
cat > Threads.java <<'J'
import java.util.*;
import java.util.concurrent.*;
public class Threads {
    static int deep(int n) { return deep(n + 1) + 1; }
    public static void main(String[] arguments) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(6);
        List<Future<Long>> results = new ArrayList<>();
        for (int i = 1; i <= 12; i++) {
            final int part = i;
            results.add(pool.submit(() -> {
                long sum = 0;
                byte[][] garbage = new byte[64][];
                for (int j = 0; j < 200000; j++) {
                    sum += j % part;
                    if (j % 100 == 0) garbage[j / 100 % 64] = new byte[5000];
                }
                return sum;
            }));
        }
        long sum = 0;
        for (Future<Long> result : results) sum += result.get();
        pool.shutdown();
        Object none = arguments.length > 5 ? "" : null;
        try { none.hashCode(); } catch (NullPointerException e) { System.out.println("null"); }
        try { deep(0); } catch (StackOverflowError e) { System.out.println("deep"); }
        System.gc();
        System.out.println(sum);
    }
}
J
javac Threads.java
timeout 50 java -Xmx256m -Xshare:auto Threads
rm -f Threads*
