//! Calls that neither park nor find a waiter: ours must say and leave what the kernel does.

use super::*;

pub fn as_the_kernel_answers(hub: &'static Hub) {
    let one = word(0);
    let two = word(0);
    // SAFETY: a new mapping that nothing can read.
    let hole = unsafe { sys!(SYS_mmap, 0, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1isize, 0) } as usize;
    let me = sys::gettid() as u32;
    let past = timespec { tv_sec: 0, tv_nsec: 1000 };
    let bad = timespec { tv_sec: 1, tv_nsec: 1_000_000_000 };
    let negative = timespec { tv_sec: -1, tv_nsec: 0 };
    let zero = timespec { tv_sec: 0, tv_nsec: 0 };
    let commands: Vec<i32> = (0..16)
        .flat_map(|command| {
            [0, PRIVATE, FUTEX_CLOCK_REALTIME, PRIVATE | FUTEX_CLOCK_REALTIME].map(|flag| command | flag)
        })
        .collect();
    let words = [at(one), at(one) + 1, at(one) + 2, 0, hole, usize::MAX - 3];
    let seconds = [at(two), at(one), at(two) + 1, 0, hole];
    let times = [pointer(&past), pointer(&bad), pointer(&negative), pointer(&zero), hole];
    let counts = [0usize, 1, 3, i32::MAX as usize, u32::MAX as usize];
    let compare = |nr: i64, entry: Call, arguments: [usize; 6], start: (u32, u32)| {
        let run = |ours: bool| {
            one.store(start.0, SeqCst);
            two.store(start.1, SeqCst);
            let result = if ours { call(hub, nr, entry, arguments) } else { kernel(nr, arguments) };
            (result, one.load(SeqCst), two.load(SeqCst))
        };
        let theirs = run(false);
        assert_eq!(run(true), theirs, "nr {nr}, {arguments:x?}, words {start:x?}, this is {me:x}");
    };
    for &operation in &commands {
        let command = operation & !(PRIVATE | FUTEX_CLOCK_REALTIME);
        let waits =
            matches!(command, FUTEX_WAIT | FUTEX_WAIT_BITSET | FUTEX_LOCK_PI | LOCK_PI2 | FUTEX_WAIT_REQUEUE_PI);
        let fourth: &[usize] = if waits { &times } else { &counts };
        for &first in &words {
            for &second in &seconds {
                if second != at(two) && (first != at(one) || command == FUTEX_CMP_REQUEUE) {
                    // Which of two wrong arguments counts does not matter.
                    continue;
                }
                for &time in fourth {
                    for value in [0, 1, u32::MAX] {
                        // A matching wait ends by its time, which has been.
                        compare(
                            SYS_futex,
                            futex::futex,
                            [first, operation as usize, value as usize, time, second, 5],
                            (0, 0),
                        );
                    }
                }
            }
        }
    }
    // The words of PI locks: ours, nobody's, somebody's who does not exist.
    let nobody = 0x3fff_fffe;
    for state in [0, DIED, WAITERS, DIED | WAITERS] {
        for owner in [0, me, nobody] {
            for command in [FUTEX_LOCK_PI, LOCK_PI2, FUTEX_TRYLOCK_PI, FUTEX_UNLOCK_PI] {
                let arguments = [at(one), (command | PRIVATE) as usize, 0, pointer(&past), 0, 0];
                // The kernel tells an owner that is gone from a word that is nobody's by more than one look.
                compare(SYS_futex, futex::futex, arguments, (owner | state, 0));
            }
        }
    }
    for encoded in (0..1u32 << 16).map(|bits| (bits >> 8 << 24) | (bits & 0xf0) << 16 | (bits & 0xf) << 8 | 0x0000_f00f)
    {
        let arguments = [at(one), (FUTEX_WAKE_OP | PRIVATE) as usize, 1, 1, at(two), encoded as usize];
        compare(SYS_futex, futex::futex, arguments, (0, 0xffff_f00f));
        compare(SYS_futex, futex::futex, arguments, (0, 7));
    }
    for bits in [0, 1] {
        for command in [FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET] {
            compare(
                SYS_futex,
                futex::futex,
                [at(one), (command | PRIVATE) as usize, 0, pointer(&past), 0, bits],
                (0, 0),
            );
        }
    }
    for flags in [0usize, 2, 2 | 128, 1, 3, 1 << 20] {
        for mask in [0usize, 1, 1 << 32] {
            for &address in &words {
                for count in counts {
                    compare(futex2::SYS_FUTEX_WAKE, futex2::futex_wake, [address, mask, count, flags, 0, 0], (0, 0));
                }
                for (time, clock) in
                    [(pointer(&past), 0), (pointer(&past), 1), (pointer(&past), 7), (pointer(&bad), 1), (hole, 0)]
                {
                    let arguments = [address, 0, mask, flags, time, clock];
                    compare(futex2::SYS_FUTEX_WAIT, futex2::futex_wait, arguments, (0, 0));
                    compare(futex2::SYS_FUTEX_WAIT, futex2::futex_wait, arguments, (1, 0));
                    let entries = [[0u64, address as u64, flags as u64]; 2];
                    for count in [0, 1, 2, 129] {
                        let arguments = [pointer(&entries), count, mask & 1, time, clock, 0];
                        compare(futex2::SYS_FUTEX_WAITV, futex2::futex_waitv, arguments, (0, 0));
                    }
                    compare(futex2::SYS_FUTEX_WAITV, futex2::futex_waitv, [hole, 1, 0, time, clock, 0], (0, 0));
                    for count in counts {
                        let arguments = [pointer(&entries), mask & 1, count, count, 0, 0];
                        compare(futex2::SYS_FUTEX_REQUEUE, futex2::futex_requeue, arguments, (0, 0));
                    }
                }
            }
        }
    }
}
