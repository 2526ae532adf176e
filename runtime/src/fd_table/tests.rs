use super::*;

/// A table in which these numbers are registered.
fn table(numbers: &[i32]) -> FdTable {
    let mut table = FdTable::new();
    for &fd in numbers {
        table.entry(fd).registered = true;
    }
    table
}

fn node(fd: i32, interest: u8, broadcast: bool, who: usize) -> Node {
    Node::new(fd, interest, broadcast, who as *const ())
}

#[test]
fn one_reader_at_a_time_and_the_turn_passes_on() {
    let mut table = table(&[3]);
    let (a, b, w, p) =
        (node(3, READ, false, 1), node(3, READ, false, 2), node(3, WRITE, false, 3), node(3, READ, true, 4));
    for waiter in [&a, &b, &w, &p] {
        assert!(table.enter(waiter));
    }
    assert!(!table.enter(&node(4, READ, false, 5)), "who is not registered would wait for ever");
    let mut woken = Vec::new();
    table.entry(3).fire(READ, |who| woken.push(who as usize));
    assert_eq!(woken, [1, 4]);
    table.entry(3).fire(READ, |who| woken.push(who as usize));
    assert_eq!(woken, [1, 4, 4], "the first reader has yet to try");
    assert_eq!(table.leave(&a, |who| woken.push(who as usize)), None);
    assert_eq!(woken, [1, 4, 4, 2]);
    b.fired.set(false);
    assert_eq!(table.leave(&b, |who| woken.push(who as usize)), None);
    assert_eq!(woken.len(), 4, "who has found nothing passes nothing on");
    table.leave(&w, |_| ());
    table.leave(&p, |_| ());
    assert!(!table.entry(3).has_waiters());
}

#[test]
fn waiters_follow_their_file_to_a_duplicate() {
    let mut table = table(&[5]);
    let (a, b) = (node(5, READ, false, 1), node(5, READ, false, 2));
    table.enter(&a);
    table.enter(&b);
    table.move_waiters(5, 900);
    table.forget(5);
    assert_eq!((a.fd.get(), b.fd.get()), (900, 900));
    assert_eq!(table.leave(&a, |_| ()), None);
    assert_eq!(table.leave(&b, |_| ()), Some(900), "the last one closes the duplicate");
}

#[test]
fn a_description_is_private_until_another_process_may_have_it() {
    let mut table = FdTable::new();
    assert!(!table.is_private(4) && !table.is_private(-1));
    table.mark_private(4);
    assert!(table.is_private(4) && !table.is_private(5));
    table.forget_private();
    assert!(!table.is_private(4));
    table.mark_private(4);
    table.forget(4);
    assert!(!table.is_private(4), "the number was closed");
}

#[test]
fn a_late_event_of_an_earlier_use_is_told_by_its_generation() {
    let mut table = FdTable::new();
    table.entry(7).registered = true;
    let before = table.entry(7).generation;
    table.forget(7);
    assert_ne!(table.entry(7).generation, before);
    assert!(!table.entry(7).registered);
}

#[test]
fn a_short_read_says_that_a_private_stream_is_empty_until_the_next_event() {
    let mut table = FdTable::new();
    table.mark_private(4);
    table.set_plain(4, true);
    table.note_short(4);
    assert!(!table.is_drained(4), "a record may be shorter than what is asked for");
    table.entry(4).drains = true;
    table.note_short(4);
    assert!(table.is_drained(4) && !table.is_drained(5) && !table.is_drained(-1));
    table.entry(4).happen(WRITE, false);
    assert!(table.is_drained(4));
    table.entry(4).happen(READ, false);
    assert!(!table.is_drained(4));
    table.note_empty(4);
    assert!(table.is_drained(4), "nothing at all");
    table.flags_change(4);
    assert!(!table.is_drained(4), "it may be non-blocking now");
    table.set_plain(4, true);
    table.forget_private();
    assert!(!table.is_drained(4), "another process may change its flags");
}

#[test]
fn what_waits_behind_the_bytes_ends_the_rule_for_good() {
    let mut table = FdTable::new();
    table.mark_private(4);
    table.set_plain(4, true);
    table.entry(4).drains = true;
    table.entry(4).happen(READ, true);
    table.note_short(4);
    assert!(!table.is_drained(4));
}

#[test]
fn what_is_done_at_one_end_is_told_at_the_other() {
    let mut table = table(&[6, 7]);
    table.pair(6, 7);
    let reader = node(6, READ, false, 1);
    assert!(table.enter(&reader));
    table.entry(6).empty = true;
    let mut woken = Vec::new();
    table.fire_peer(7, READ, |who| woken.push(who as usize));
    table.fire_peer(6, READ, |who| woken.push(who as usize));
    assert_eq!(woken, [1]);
    assert!(!table.entry(6).empty);
    table.entry(6).drains = true;
    table.note_duplicate(7);
    assert!(!table.entry(6).drains, "what comes by way of another number is not seen");
    assert_eq!(table.leave(&reader, |_| ()), None);
    table.forget(7);
    assert!(table.entry(6).peer == -1, "the number may mean something else soon");
}

#[test]
fn numbers_of_ours_are_far_from_the_programs() {
    let mut table = FdTable::new();
    table.entry(3).kind = Some(Kind::Pipe);
    assert!(table.known(961).is_none());
    table.take(960);
    assert!(table.owns(960) && !table.owns(961) && !table.owns(3) && !table.owns(-1));
    for fd in [959, 961, 5000] {
        table.entry(fd).kind = Some(Kind::File);
        assert_eq!(table.known(fd).and_then(|entry| entry.kind), Some(Kind::File));
    }
    assert_eq!(table.known(3).and_then(|entry| entry.kind), Some(Kind::Pipe));
    let known = table.numbers().filter(|&fd| [3, 959, 960, 961, 5000].contains(&fd)).count();
    assert_eq!((known, table.numbers().is_sorted()), (5, true));
    assert!(table.len() > 5000);
    assert_eq!(table.rebuild_in_child(true), []);
    assert!(table.owns(960), "the parent still uses it");
    assert_eq!(table.rebuild_in_child(false), [960]);
    assert!(!table.owns(960));
}
