# Intel's TBB: parallel loops, reductions, sorts, pipelines and task groups give the right results.
set -e
echo '#include <tbb/tbb.h>' | g++ -E -x c++ - > /dev/null 2>&1 || { echo "skipped: no libtbb-dev"; exit 77; }
cat > main.cc <<'C'
#include <tbb/tbb.h>
#include <atomic>
#include <cstdio>
#include <numeric>
#include <vector>
int main() {
    tbb::global_control threads(tbb::global_control::max_allowed_parallelism, 6);
    std::vector<int> v(200000);
    tbb::parallel_for(0, (int)v.size(), [&](int i) { v[i] = (i * 7919L) % 200003; });
    long sum = tbb::parallel_reduce(tbb::blocked_range<size_t>(0, v.size()), 0L,
        [&](auto const &r, long s) { for (size_t i = r.begin(); i != r.end(); i++) s += v[i]; return s; }, std::plus<>());
    printf("%d\n", sum == std::accumulate(v.begin(), v.end(), 0L));
    tbb::parallel_sort(v.begin(), v.end());
    printf("%d\n", std::is_sorted(v.begin(), v.end()));
    tbb::task_group group;
    std::atomic<int> ran{0};
    for (int i = 0; i < 500; i++) group.run([&] { ran++; });
    group.wait();
    printf("%d\n", ran.load());
    tbb::concurrent_queue<int> queue;
    tbb::parallel_for(0, 1000, [&](int i) { queue.push(i); });
    long total = 0;
    for (int x; queue.try_pop(x);) total += x;
    printf("%ld\n", total);
    int n = 0; long piped = 0;
    tbb::parallel_pipeline(8,
        tbb::make_filter<void, int>(tbb::filter_mode::serial_in_order, [&](tbb::flow_control &f) { if (n == 300) f.stop(); return n++; }) &
        tbb::make_filter<int, long>(tbb::filter_mode::parallel, [](int x) { return 2L * x; }) &
        tbb::make_filter<long, void>(tbb::filter_mode::serial_in_order, [&](long x) { piped += x; }));
    printf("%ld\n", piped);
}
C
g++ -std=c++17 -O1 -o main main.cc -ltbb -pthread
timeout 50 ./main
rm main main.cc
