//! Random flows with random callers: every run ends, its way is told, nothing follows the end; and
//! what is stored and read back goes on alike.

use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::flow::{
    Branching, Calling, Case, Collecting, Condition, Conferring, Confirmation, Dialling, Fetching,
    HANG_UP, HangingUp, LookingUp, Looping, Menu, Merge, Messaging, Opening, Patience, Pausing,
    QueueFigures, Queueing, RETURN, RecordTerms, Recording, Rejection, Returning, Sayable, Saying,
    Setting, Share, Speaking, Speech, Splitting, Step, Template, Watching,
};
use crate::ivr::BargeIn;

/// Steps are named by number; there are so many.
const STEPS: usize = 9;

fn target() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => (0..STEPS).prop_map(|number| format!("s{number}")),
        2 => Just(HANG_UP.to_owned()),
        1 => Just(RETURN.to_owned()),
    ]
}

fn sounds() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(
        prop::sample::select(vec!["a", "b"]).prop_map(str::to_owned),
        0..3,
    )
}

fn barge_in() -> impl Strategy<Value = BargeIn> {
    prop::sample::select(vec![BargeIn::Ignored, BargeIn::Interrupts])
}

fn text() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "1001",
        "",
        "{{ call.from }}",
        "{{ attributes.n }}",
        "{{ attributes.n + 1 }}",
        "{{ attributes.n ~ attributes.n }}",
        "{{ reply.name }}",
        "{{ loops.s1 }}",
        "{{ nothing | default('x') }}",
        "{% for i in range(9999) %}{{ i }}{% endfor %}",
        "{{ 1 // 0 }}",
    ])
    .prop_map(str::to_owned)
}

fn template() -> impl Strategy<Value = Template> {
    text().prop_map(Template::new)
}

fn attributes() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::vec((prop::sample::select(vec!["n", "m", "名"]), text()), 0..3).prop_map(
        |pairs| {
            let pairs = pairs.into_iter();
            pairs
                .map(|(name, text)| (name.to_owned(), Value::String(text)))
                .collect()
        },
    )
}

fn cases() -> impl Strategy<Value = Vec<Case>> {
    let condition = prop::sample::select(vec![
        "attributes.n == '1'",
        "attributes.n > 3",
        "queue.waiting > 2",
        "call.from STARTSWITH '+81' AND NOT (attributes.m == true)",
        "digits.s1 == '2'",
    ]);
    let case = (condition, target()).prop_map(|(text, next)| Case {
        condition: Condition::parse(text).expect("good"),
        next,
    });
    prop::collection::vec(case, 1..3)
}

fn patience() -> impl Strategy<Value = Patience> {
    (sounds(), barge_in(), 1..4_u32, sounds(), target()).prop_map(
        |(prompt, barge_in, tries, no_match, failed)| Patience {
            prompt,
            barge_in,
            timeout: Duration::from_secs(5),
            digit_timeout: Duration::from_secs(3),
            tries,
            no_input: Vec::new(),
            no_match,
            failed,
        },
    )
}

fn collecting() -> impl Strategy<Value = Step> {
    let pattern = prop::option::of(prop::sample::select(vec!["[1-3]+", "9|99"]));
    (
        patience(),
        1..4_usize,
        pattern,
        any::<bool>(),
        any::<bool>(),
        target(),
    )
        .prop_map(|(patience, max, pattern, confirms, secure, next)| {
            Step::Collect(Collecting {
                patience,
                min: 1,
                max,
                terminators: "#".to_owned(),
                into: "n".to_owned(),
                secure,
                seal: None,
                pattern: pattern.map(str::to_owned),
                confirm: (confirms && !secure).then(|| Confirmation {
                    before: Vec::new(),
                    after: vec!["a".to_owned()],
                    yes: "1".to_owned(),
                    no: "2".to_owned(),
                }),
                next,
            })
        })
}

fn asking() -> impl Strategy<Value = Step> {
    let menu = (patience(), target(), target()).prop_map(|(patience, one, two)| {
        Step::Menu(Menu {
            patience,
            choices: IndexMap::from([("1".to_owned(), one), ("23".to_owned(), two)]),
        })
    });
    prop_oneof![menu, collecting()]
}

fn outside() -> impl Strategy<Value = Step> {
    let error = || prop::option::of(target());
    let merge = (any::<bool>(), any::<bool>()).prop_map(|(merge, whole)| Merge {
        merge,
        into: whole.then(|| "m".to_owned()),
        gives: Vec::new(),
    });
    let terms = || RecordTerms {
        longest: Duration::from_secs(60),
        silence: Duration::from_secs(5),
        terminators: "#".to_owned(),
        beep: true,
    };
    prop_oneof![
        (target(), target(), error()).prop_map(|(open, closed, error)| {
            Step::Hours(Opening {
                calendar: None,
                queue: None,
                open,
                closed,
                error,
            })
        }),
        (attributes(), merge.clone(), target(), error()).prop_map(
            |(parameters, merge, next, error)| {
                Step::Http(Fetching {
                    shape: Default::default(),
                    endpoint: "e".to_owned(),
                    parameters,
                    timeout: Duration::from_secs(8),
                    merge,
                    next,
                    error,
                })
            }
        ),
        (template(), merge, target(), error(), error()).prop_map(
            |(key, merge, next, missing, error)| {
                Step::Lookup(LookingUp {
                    table: "t".to_owned(),
                    key,
                    merge,
                    next,
                    missing,
                    error,
                })
            }
        ),
        (cases(), target(), error(), any::<bool>()).prop_map(|(cases, otherwise, error, staff)| {
            let watching = Watching {
                queue: "q".to_owned(),
                cases,
                otherwise,
                error,
            };
            match staff {
                true => Step::Staffing(watching),
                false => Step::QueueStatus(watching),
            }
        }),
        (target(), error()).prop_map(move |(next, error)| {
            Step::Record(Recording {
                terms: terms(),
                into: "n".to_owned(),
                next,
                error,
            })
        }),
        (sounds(), target(), error()).prop_map(move |(greeting, next, error)| {
            Step::Voicemail(Messaging {
                mailbox: "x".to_owned(),
                greeting,
                terms: terms(),
                next,
                error,
            })
        }),
    ]
}

fn parting() -> impl Strategy<Value = Step> {
    prop_oneof![
        (cases(), target())
            .prop_map(|(cases, otherwise)| Step::Branch(Branching { cases, otherwise })),
        (0..=100_u32, target(), target()).prop_map(|(percent, one, two)| {
            let share = |percent, next| Share { percent, next };
            let shares = vec![share(percent, one), share(100 - percent, two)];
            Step::Split(Splitting { shares })
        }),
        (1..9_u32, target(), target()).prop_map(|(times, body, next)| Step::Loop(Looping {
            times,
            body,
            next
        })),
        (attributes(), target()).prop_map(|(parameters, next)| {
            Step::Flow(Calling {
                flow: "part".to_owned(),
                parameters,
                next,
            })
        }),
        Just(Step::Return(Returning {})),
        Just(Step::Hangup(HangingUp {
            cause: Rejection::Busy
        })),
    ]
}

fn doing() -> impl Strategy<Value = Step> {
    prop_oneof![
        (sounds(), barge_in(), target()).prop_map(|(sounds, barge_in, next)| {
            Step::Play(Speech {
                sounds,
                greeting: false,
                barge_in,
                next,
            })
        }),
        (template(), sounds(), barge_in(), target()).prop_map(|(value, before, barge_in, next)| {
            Step::Say(Saying {
                what: Sayable::Digits,
                value,
                before,
                after: Vec::new(),
                barge_in,
                next,
            })
        }),
        (attributes(), target())
            .prop_map(|(attributes, next)| Step::Set(Setting { attributes, next })),
        (0..3_u64, target()).prop_map(|(seconds, next)| {
            let length = Duration::from_secs(seconds);
            Step::Pause(Pausing { length, next })
        }),
        (template(), target())
            .prop_map(|(language, next)| Step::Language(Speaking { language, next })),
        (attributes(), target(), target(), target()).prop_map(
            |(attributes, nobody, timeout, after)| {
                Step::Queue(Queueing {
                    to: Destination::Queue("q".to_owned()),
                    attributes,
                    priority: 0,
                    nobody,
                    timeout,
                    left: None,
                    after,
                })
            }
        ),
        (template(), target(), target()).prop_map(|(number, failed, after)| {
            Step::Dial(Dialling {
                no_answer: Some(after.clone()),
                after: Some(after),
                ..Dialling::new(number, failed)
            })
        }),
        (template(), target())
            .prop_map(|(number, failed)| { Step::Transfer(Dialling::new(number, failed)) }),
        template().prop_map(|room| Step::Conference(Conferring { room })),
    ]
}

fn document(name: &'static str) -> impl Strategy<Value = Document> {
    let step = prop_oneof![asking(), outside(), parting(), doing()];
    let steps = prop::collection::vec(step, STEPS);
    (steps, prop::option::of(target())).prop_map(move |(steps, error)| {
        let names = (0..).map(|number| format!("s{number}"));
        Document {
            start: "s0".to_owned(),
            steps: names.zip(steps).collect(),
            error,
            ..Document::new(name)
        }
    })
}

/// A flow with a part that has a part, all of them odd.
fn whole() -> impl Strategy<Value = Arc<Document>> {
    (document("main"), document("part"), document("part")).prop_map(|(main, part, inner)| {
        let inner = Arc::new(inner);
        let part = Arc::new(part.link(|_| Some(Arc::clone(&inner))));
        Arc::new(main.link(|_| Some(Arc::clone(&part))))
    })
}

fn caller() -> impl Strategy<Value = Vec<Move>> {
    let keys = prop::sample::select(vec!["1", "2", "23", "9", "123#", "#", "99"]);
    let one = prop_oneof![
        8 => keys.clone().prop_map(|keys| Move::Presses(keys.to_owned())),
        4 => keys.prop_map(|keys| Move::Interrupts(keys.to_owned())),
        2 => Just(Move::Silent),
        1 => Just(Move::HangsUp),
    ];
    prop::collection::vec(one, 0..20)
}

fn world() -> impl Strategy<Value = World> {
    let data = || {
        let some = json!({"name": "x", "n": 1, "deep": {"list": [1, 2]}});
        prop::sample::select(vec![None, Some(some), Some(json!({})), Some(json!([1]))])
    };
    let queue = prop::sample::select(vec![
        QueueOutcome::Answered,
        QueueOutcome::Nobody,
        QueueOutcome::TimedOut,
    ]);
    let dial = prop::sample::select(DialOutcome::WORDS.map(|(_, outcome)| outcome).to_vec());
    let figures = prop::option::of((0..9_u64).prop_map(|waiting| QueueFigures {
        waiting,
        ..QueueFigures::default()
    }));
    fn some<T: std::fmt::Debug>(
        one: impl Strategy<Value = T>,
    ) -> impl Strategy<Value = VecDeque<T>> {
        prop::collection::vec_deque(one, 0..9)
    }
    let hours = prop::option::of(any::<bool>());
    let record = prop::option::of(Just(Duration::from_secs(9)));
    let all = (
        some(queue),
        some(dial),
        some(hours),
        some(data()),
        some(data()),
        some(figures),
        some(record),
    );
    all.prop_map(
        |(queue, dial, hours, http, lookup, figures, record)| World {
            queue,
            dial,
            hours,
            http,
            lookup,
            figures,
            record,
            ..World::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Bar 9 of issue 6.
    #[test]
    fn every_run_ends_and_its_way_is_told(
        document in whole(),
        caller in caller(),
        world in world(),
        seed in any::<u64>(),
    ) {
        let context = Context { seed, ..Context::default() };
        let trial = Trial { caller, world, context, ..Trial::default() };
        let course = trial.play(&document);
        prop_assert!(!matches!(course.end, None | Some(Ending::Endless)), "{:?} after {:?}", course.end, course.took);
        // Every step that was come to is told, begins at the start, and is one of the documents'.
        let steps: Vec<(&str, &str)> = course
            .actions
            .iter()
            .filter_map(|action| match action {
                Action::Enter { flow, step } => Some((flow.as_str(), step.as_str())),
                _ => None,
            })
            .collect();
        prop_assert_eq!(steps.len(), course.path.len());
        prop_assert_eq!(steps.first(), Some(&("main", "s0")));
        prop_assert!(steps.iter().all(|(_, step)| document.steps.contains_key(*step)));
        // Each leads to the next: by an exit, into a part, or back from one.
        let main = steps.iter().filter(|(flow, _)| *flow == "main").count();
        prop_assert!(main <= 5000);
        for pair in steps.windows(2) {
            let [(flow, step), (next_flow, next)] = [pair[0], pair[1]];
            if flow == "main" && next_flow == "main" {
                let exits = document.exits(step, &document.steps[step]);
                let leads = exits.iter().any(|(_, to)| *to == next);
                let is_part = matches!(document.steps[step], Step::Flow(_));
                prop_assert!(leads || is_part, "{step} -> {next}");
            }
        }
        // Nothing is asked after the end, and what is heard is heard by an answered caller.
        let mut answered = false;
        for (place, action) in course.actions.iter().enumerate() {
            match action {
                Action::Answer => prop_assert!(!std::mem::replace(&mut answered, true)),
                Action::Play { .. } | Action::Enqueue { .. } => prop_assert!(answered),
                // Who was dialled answered the call too.
                Action::Dial(_) => answered |= !course.actions[place..].contains(&Action::Answer),
                Action::HangUp { .. } => prop_assert_eq!(place + 1, course.actions.len()),
                _ => {}
            }
        }
    }

    /// A run stored and read back anywhere goes on as the one that was not.
    #[test]
    fn a_run_read_back_goes_on_alike(
        document in whole(),
        keys in prop::collection::vec(prop::sample::select(vec!['1', '2', '3', '#']), 0..30),
    ) {
        let mut run = Run::new(document, Context::default());
        run.start(Timestamp::ZERO);
        let mut now = Timestamp::ZERO;
        let is_secret = |run: &Run| run.is_secret();
        for key in keys {
            let stored = serde_json::to_string(&run).expect("a run can be stored");
            let mut twin: Run = serde_json::from_str(&stored).expect("and read back");
            if !is_secret(&run) {
                prop_assert_eq!(&run, &twin);
            }
            now = now + Duration::from_secs(1);
            let secret = is_secret(&run);
            for run in [&mut run, &mut twin] {
                run.handle(now, Input::Digit(key));
                run.handle_timeout(now);
                while run.poll_action().is_some() {}
            }
            // A secret is forgotten on the way.
            if !secret {
                prop_assert_eq!(&run, &twin);
            }
        }
    }

    #[test]
    fn every_flow_can_be_checked_and_drawn(document in whole()) {
        let faults = document.check();
        prop_assert!(faults.iter().all(|fault| !fault.message.is_empty() && !fault.help.is_empty()));
        document.check_names(&crate::flow::Outside::default());
        let picture = crate::flow::draw(&document);
        prop_assert!(picture.starts_with("<svg") && picture.ends_with("</svg>\n"));
        prop_assert!(!picture.contains("NaN") && !picture.contains("inf"));
    }
}
