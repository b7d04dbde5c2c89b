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

fn open(change: impl FnOnce(&mut QueueSpec)) -> Office {
    let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
    change(&mut plan.queues[0]);
    Office::new(&plan)
}

fn talk(office: &mut Office, id: &str) -> Vec<Output> {
    office.create(id, "all", 0);
    office.accept(&format!("{id}.1"));
    office.pass(1_000);
    office.complete(id)
}

fn end(office: &mut Office, task: Option<&str>, code: Option<&str>) -> Vec<Output> {
    office.ask(Command::EndWrap {
        worker: "a".to_owned(),
        task: task.map(TaskId::new),
        code: code.map(str::to_owned),
    })
}

fn codes(outputs: &[Output]) -> Vec<Option<String>> {
    let code = |output: &Output| match output {
        Output::WrapEnded { code, .. } => Some(code.clone()),
        _ => None,
    };
    outputs.iter().filter_map(code).collect()
}

/// Forced: it lasts until the worker ends it.
#[test]
fn open_after_call_work_lasts_until_it_is_ended() {
    let mut office = open(|queue| queue.wrap_up_open = true);
    let heard = talk(&mut office, "t");
    let is_open = |output: &Output| matches!(output, Output::TaskEnded { wrap_up, .. } if *wrap_up == WrapUp::Open);
    assert!(heard.iter().any(is_open));
    office.pass(3_600_000);
    assert_eq!(office.worker("a").state, WorkerState::WrapUp);
    assert_eq!(codes(&end(&mut office, Some("t"), None)), [None]);
    assert_eq!(office.worker("a").state, WorkerState::Free);
    assert_eq!(
        refusal(&end(&mut office, None, None)),
        Some(Refusal::NotInWrapUp)
    );
}

/// R47: extended by hand; the end moves by exactly so much.
#[test]
fn r47_timed_after_call_work_can_be_extended() {
    let mut office = open(|queue| queue.wrap_up = seconds(10));
    talk(&mut office, "t");
    office.pass(9_000);
    office.tell(Command::ExtendWrap {
        worker: "a".to_owned(),
        by: seconds(30),
    });
    office.pass(30_999);
    assert_eq!(office.worker("a").state, WorkerState::WrapUp);
    office.pass(1);
    assert_eq!(office.worker("a").state, WorkerState::Free);
    let heard = office.ask(Command::ExtendWrap {
        worker: "a".to_owned(),
        by: seconds(30),
    });
    assert_eq!(refusal(&heard), Some(Refusal::NotInWrapUp));
}

/// R47: by hand without a call, on no channel; begun twice it is still one.
#[test]
fn r47_after_call_work_begun_by_hand_bars_every_channel() {
    let mut office = open(|_| {});
    let start = |office: &mut Office, lasts| {
        let worker = "a".to_owned();
        office.ask(Command::StartWrap { worker, lasts })
    };
    start(&mut office, None);
    start(&mut office, Some(seconds(20)));
    start(&mut office, Some(seconds(5)));
    let a = office.worker("a");
    assert_eq!((a.state, a.engagements.len()), (WorkerState::WrapUp, 1));
    assert_eq!(a.task, None, "it is linked to nothing");
    assert!(offers(&office.create("t", "all", 0)).is_empty());
    office.pass(4_999);
    assert!(offers(&office.heard()).is_empty());
    office.pass(1);
    assert_eq!(offers(&office.heard()), ["t>a"]);
}

/// R153: codes of the queue, mandatory or not.
#[test]
fn r153_a_code_is_one_of_the_queues_and_may_be_needed() {
    for is_needed in [false, true] {
        let mut office = open(|queue| {
            queue.wrap_up_open = true;
            queue.wrap_up_codes = vec!["sold".to_owned(), "苦情".to_owned()];
            queue.wrap_up_code_required = is_needed;
        });
        talk(&mut office, "t");
        let all = vec!["sold".to_owned(), "苦情".to_owned()];
        let heard = end(&mut office, Some("t"), Some("bought"));
        assert_eq!(refusal(&heard), Some(Refusal::UnknownCode(all.clone())));
        if is_needed {
            let heard = end(&mut office, None, None);
            assert_eq!(refusal(&heard), Some(Refusal::CodeNeeded(all)));
        }
        assert_eq!(
            codes(&end(&mut office, None, Some("苦情"))),
            [Some("苦情".to_owned())]
        );
    }
}

/// A code with the end of the conversation: judged before anything changes, kept in one fact, in
/// queues without after-call work too.
#[test]
fn a_code_given_with_the_end_is_judged_first_and_kept() {
    for wrap_up in [0, 10] {
        let mut office = open(|queue| {
            queue.wrap_up = seconds(wrap_up);
            queue.wrap_up_codes = vec!["sold".to_owned()];
            queue.wrap_up_code_required = true;
        });
        office.create("t", "all", 0);
        office.accept("t.1");
        let finish = |office: &mut Office, code: &str| {
            office.ask(Command::Complete {
                task: TaskId::new("t"),
                code: Some(code.to_owned()),
            })
        };
        let facts = office.facts.len();
        let heard = finish(&mut office, "bought");
        let all = vec!["sold".to_owned()];
        assert_eq!(refusal(&heard), Some(Refusal::UnknownCode(all)));
        assert_eq!(office.worker("a").state, WorkerState::Talking);
        assert_eq!(office.facts.len(), facts, "a refusal changes nothing");
        let heard = finish(&mut office, "sold");
        assert_eq!(codes(&heard), [Some("sold".to_owned())]);
        assert_eq!(office.worker("a").state, WorkerState::Free);
        assert_eq!(office.facts.len(), facts + 1);
        let again = Refusal::UnknownTask;
        assert_eq!(refusal(&finish(&mut office, "sold")), Some(again));
    }
}

/// A code that is needed is needed as well of who says that he is ready, or goes elsewhere.
#[test]
fn a_needed_code_is_not_got_around() {
    let mut office = open(|queue| {
        queue.wrap_up_open = true;
        queue.wrap_up_codes = vec!["sold".to_owned()];
        queue.wrap_up_code_required = true;
    });
    talk(&mut office, "t");
    office.activity("a", "ready");
    assert_eq!(office.worker("a").state, WorkerState::WrapUp);
    office.tell(Command::SetNextActivity {
        worker: "a".to_owned(),
        activity: Some("away".to_owned()),
        by: "test".to_owned(),
    });
    assert_eq!(office.worker("a").activity, "ready");
    office.heard();
    assert_eq!(
        codes(&end(&mut office, None, Some("sold"))),
        [Some("sold".to_owned())]
    );
    assert_eq!(office.worker("a").activity, "away", "then he may go");
}

/// A task is there until its after-call work is over; its id is not free before.
#[test]
fn a_task_in_after_call_work_is_not_made_once_more() {
    let mut plan = office_of(&[("a", json!({}))], WorkflowSpec::new("w", "all"));
    plan.channels = vec![ChannelSpec {
        name: "chat".to_owned(),
        capacity: 2,
    }];
    plan.queues[0].wrap_up_open = true;
    let mut office = Office::new(&plan);
    office.chat("c", "all");
    office.accept("c.1");
    office.complete("c");
    let again = office.chat("c", "all");
    assert_eq!(refusal(&again), Some(Refusal::DuplicateTask));
    end(&mut office, Some("c"), None);
    assert_eq!(refusal(&office.chat("c", "all")), None);
}
