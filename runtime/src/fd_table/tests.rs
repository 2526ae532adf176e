use super::*;

fn node(fd: i32, interest: u8, broadcast: bool, who: usize) -> Node {
    Node::new(fd, interest, broadcast, who as *const ())
}

#[test]
fn one_reader_at_a_time_and_the_turn_passes_on() {
    let mut table = FdTable::new();
    let (a, b, w, p) =
        (node(3, READ, false, 1), node(3, READ, false, 2), node(3, WRITE, false, 3), node(3, READ, true, 4));
    for waiter in [&a, &b, &w, &p] {
        table.enter(waiter);
    }
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
    let mut table = FdTable::new();
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
