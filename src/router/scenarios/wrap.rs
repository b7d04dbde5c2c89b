//! After-call work: by itself, by hand, with and without a code.

use super::*;

#[test]
fn wrap_up_ends_by_itself_by_hand_or_by_being_ready() {
    let mut plan = plan();
    plan.queues[0].wrap_up = Duration::from_secs(10);
    for how in 0..3 {
        let mut office = Office::new(&plan);
        office.activity("taro", "away");
        office.create("a", "sales", 0);
        office.accept("a.1");
        let heard = office.complete("a");
        let until = office.now + Duration::from_secs(10);
        assert!(heard.iter().any(|output| matches!(
            output, Output::TaskEnded { wrap_up, .. } if *wrap_up == WrapUp::Until(until)
        )));
        assert!(offers(&office.create("b", "sales", 0)).is_empty());
        match how {
            0 => office.pass(10_000),
            1 => office.tell(Command::EndWrap {
                worker: "花子".to_owned(),
                task: None,
                code: None,
            }),
            _ => office.activity("花子", "ready"),
        }
        let heard = office.heard();
        assert!(matches!(heard[0], Output::WrapEnded { .. }), "{how}");
        assert_eq!(offers(&heard), ["b>花子"]);
    }
}

#[test]
fn a_wrap_up_that_ended_while_the_process_was_dead_counts_from_its_end() {
    let mut plan = plan();
    plan.queues[0].wrap_up = Duration::from_secs(10);
    let mut office = Office::new(&plan);
    office.create("a", "sales", 0);
    office.accept("a.1");
    office.complete("a");
    let ended = office.now + Duration::from_secs(10);
    office.now = office.now + Duration::from_secs(3600);
    office.router.handle_timeout(office.now);
    assert_eq!(office.router.state.workers["花子"].idle_since, ended);
}
