//! futex_waitv and the later calls.

use super::*;

pub fn entries(words: &[(Word, u64)], flags: u64) -> Vec<[u64; 3]> {
    words.iter().map(|(word, value)| [*value, at(word) as u64, flags]).collect()
}

pub fn waitv(hub: &'static Hub) {
    let log = Log::default();
    let words: Vec<Word> = (0..100).map(word).collect();
    let list = entries(&words.iter().map(|&on| (on, u64::from(on.load(SeqCst)))).collect::<Vec<_>>(), 2 | 128);
    let run = move |time: usize| {
        let arguments = [list.as_ptr() as usize, list.len(), 0, time, CLOCK_MONOTONIC as usize, 0];
        call(hub, futex2::SYS_FUTEX_WAITV, futex2::futex_waitv, arguments)
    };
    let run = Rc::new(run);
    for index in [0, 57, 99] {
        let run = run.clone();
        spawn(hub, &log, index, move || run(0));
        settle(hub);
        assert_eq!(wake(hub, words[index], 1), 1);
        settle(hub);
        assert_eq!(taken(&log), [(index, index as isize)]);
        assert!(words.iter().all(|&on| wake(hub, on, 1) == 0));
    }
    let soon = time_in(CLOCK_MONOTONIC, 1_000_000);
    assert_eq!(run(pointer(&soon)), -(ETIMEDOUT as isize));
    words[99].store(0, SeqCst);
    assert_eq!(run(0), -(EAGAIN as isize));
    assert!(words.iter().all(|&on| wake(hub, on, 1) == 0));
}

pub fn later_calls(hub: &'static Hub) {
    let log = Log::default();
    let (from, to) = (word(1), word(2));
    for name in 0..3 {
        spawn(hub, &log, name, move || {
            let arguments = [at(from), 1, 1 << name, 2 | 128, 0, 0];
            call(hub, futex2::SYS_FUTEX_WAIT, futex2::futex_wait, arguments)
        });
    }
    settle(hub);
    if log.borrow().len() == 3 {
        // A kernel without these calls.
        return;
    }
    let wake =
        |count, mask| call(hub, futex2::SYS_FUTEX_WAKE, futex2::futex_wake, [at(from), mask, count, 2 | 128, 0, 0]);
    assert_eq!((wake(0, 7), wake(9, 2)), (0, 1));
    let list = entries(&[(from, 1), (to, 0)], 2 | 128);
    let arguments = [list.as_ptr() as usize, 0, 1, 9, 0, 0];
    assert_eq!(call(hub, futex2::SYS_FUTEX_REQUEUE, futex2::futex_requeue, arguments), 2);
    settle(hub);
    assert_eq!(taken(&log), [(1, 0), (0, 0)]);
    assert_eq!(self::wake(hub, to, 9), 1);
}
