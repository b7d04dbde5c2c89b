//! Flows: every example of docs/flows.md loads and passes its tests; mistakes have their place.

use std::collections::HashMap;

use super::*;
use crate::flow::Step;

const OFFICE: [(&str, &str); 5] = [
    ("node.toml", "name = \"a\"\nregion = \"b\"\n"),
    (
        "phones.toml",
        "[[phone]]\nnumber = \"10\"\npassword = \"demo\"\n[[phone]]\nnumber = \"11\"\n\
         password = \"demo\"\n",
    ),
    (
        "agents.toml",
        "[[agent]]\nname = \"sato\"\nphone = \"10\"\n",
    ),
    (
        "queues.toml",
        "[[queue]]\nname = \"sales\"\nagents = \"1==1\"\n[[queue]]\nname = \"support\"\n\
         agents = \"1==1\"\n",
    ),
    (
        "numbers.toml",
        "[[inbound]]\nnumber = \"+81311110000\"\nflow = \"shop\"\n\
         attributes = { shop = \"red\", visits = 1 }\n",
    ),
];

/// Calendars of the same hours, but for the day.
const CALENDARS: &str = "[[calendar]]\nname = \"office\"\ntime_zone = \"Asia/Tokyo\"\n\
                         weekly = { mon-fri = \"09:00-18:00\" }\n\
                         [[calendar]]\nname = \"weekend\"\ntime_zone = \"Asia/Tokyo\"\n\
                         weekly = { sat-sun = \"09:00-18:00\" }\n";

/// An office with these flows; a flow `shop`, to which a number leads, is there if none of them.
fn flows(more: &[(&str, &str)]) -> Result<(Office, usize), Report> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    for folder in ["flows", "tables"] {
        fs::create_dir(directory.path().join(folder)).expect("made");
    }
    let shop = "start = \"a\"\n[steps.a]\ndo = \"hangup\"\n";
    fs::write(directory.path().join("flows/shop.toml"), shop).expect("written");
    for (name, text) in OFFICE.iter().chain(more) {
        fs::write(directory.path().join(name), text).expect("written");
    }
    let sounds = sounds();
    for name in ["ticket", "you-pressed", "yes-no"] {
        fs::write(sounds.path().join(format!("{name}.wav")), "").expect("written");
    }
    let sounds = sounds.path().display().to_string();
    let variables = [("TSUNAGU_SOUNDS", sounds.as_str())];
    load_and_test(directory.path(), &variables.into_iter().collect())
}

/// All that is wrong with an office that has these files, too.
fn report_of(files: &[(&str, &str)]) -> String {
    flows(files)
        .err()
        .map(|it| it.to_string())
        .unwrap_or_default()
}

/// What is wrong with one flow `main`: `file:line:column: level: what`.
fn said(text: &str) -> Vec<String> {
    said_of(&[("flows/main.toml", text)])
}

fn said_of(files: &[(&str, &str)]) -> Vec<String> {
    let report = match flows(files) {
        Ok((office, _)) => office.warnings,
        Err(report) => report,
    };
    let text = report.to_string();
    let lines: Vec<String> = text
        .lines()
        .filter(|line| line.starts_with("flows/"))
        .map(str::to_owned)
        .collect();
    lines
}

/// The blocks of a document that are files of their own.
fn examples(text: &str) -> Vec<(String, String)> {
    let blocks = text.split("```toml\n# ").skip(1);
    blocks
        .map(|block| {
            let end = block.find("```").expect("the block ends");
            let name = block[..end].split([':', '\n']).next().expect("a name");
            (name.trim().to_owned(), format!("# {}", &block[..end]))
        })
        .collect()
}

#[test]
fn every_example_of_the_docs_loads_and_its_tests_pass() {
    let examples = examples(include_str!("../../../docs/flows.md"));
    assert!(examples.len() >= 9, "{}", examples.len());
    let files: Vec<(&str, &str)> = examples
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let asked = [
        (
            "webhooks.toml",
            "[[endpoint]]\nname = \"crm\"\nurl = \"https://crm.example/\"\n",
        ),
        ("tables/tickets.csv", "ticket,owner,title\n"),
        ("calendars.toml", CALENDARS),
    ];
    let files = [&files[..], &asked[..]].concat();
    let (office, tests) = flows(&files).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(office.warnings.problems, [], "{}", office.warnings);
    assert!(tests >= 14, "{tests}");
    let docs = include_str!("../../../docs/flows.md");
    for word in [
        "queue_status",
        "staffing",
        "conference",
        "voicemail",
        "transfer",
    ] {
        assert!(docs.contains(word), "{word}");
    }
}

#[test]
fn a_test_that_fails_shows_what_was_expected_and_what_came() {
    let text = "start = \"a\"\n[steps.a]\ndo = \"play\"\nsounds = [\"greeting\"]\nnext = \"hangup\"\n\
                [[test]]\nname = \"odd\"\n[test.expect]\nheard = [\"goodbye\"]\nend = \"busy\"\n";
    let Err(report) = flows(&[("flows/main.toml", text)]) else {
        panic!("it fails")
    };
    let shown = report.to_string();
    assert!(shown.contains("flows/main.toml:9:9: error: the test \"odd\" fails: another `heard`"));
    assert!(shown.contains("- goodbye\n+ greeting"), "{shown}");
    assert!(shown.contains("flows/main.toml:10:7: error: the test \"odd\" fails: another `end`"));
    assert!(report.render(Style::Plain).contains("+ greeting"));
}

#[test]
fn tests_ask_the_calendars_of_steps_queues_and_numbers() {
    let flow = |ask: &str, test: &str| {
        format!(
            "start = \"hours\"\nerror = \"unknown\"\n\
             [steps.hours]\ndo = \"hours\"\n{ask}open = \"in\"\nclosed = \"out\"\n\
             [steps.out]\ndo = \"hangup\"\ncause = \"declined\"\n\
             [steps.in]\ndo = \"hangup\"\ncause = \"busy\"\n\
             [steps.unknown]\ndo = \"hangup\"\ncause = \"not_found\"\n\
             [[test]]\n{test}\n[test.expect]\nend = \"declined\"\n"
        )
    };
    let queues = "[[queue]]\nname = \"sales\"\nagents = \"1==1\"\ncalendar = \"weekend\"\n\
                  [[queue]]\nname = \"support\"\nagents = \"1==1\"\n";
    let numbers = "[[inbound]]\nnumber = \"+81311110000\"\nflow = \"main\"\ncalendar = \"office\"\n\
                   [[inbound]]\nnumber = \"+81311110001\"\nflow = \"main\"\ncalendar = \"weekend\"\n\
                   [[inbound]]\nnumber = \"+81311110002\"\nflow = \"shop\"\n";
    let saturday = "at = 2026-11-21T10:00:00+09:00\n";
    for (ask, test, end) in [
        ("", "", "busy"),
        ("", saturday, "declined"),
        ("", "to = \"+81311110001\"\n", "declined"),
        ("", "to = \"+81311110002\"\n", "not_found"),
        ("calendar = \"weekend\"\n", saturday, "busy"),
        ("queue = \"sales\"\n", saturday, "busy"),
        ("queue = \"support\"\n", saturday, "not_found"),
        ("", "hours = [\"closed\"]\n", "declined"),
        ("", "hours = [\"error\"]\n", "not_found"),
    ] {
        let text = flow(ask, test).replace("end = \"declined\"", &format!("end = \"{end}\""));
        let report = report_of(&[
            ("flows/main.toml", &text),
            ("queues.toml", queues),
            ("numbers.toml", numbers),
            ("calendars.toml", CALENDARS),
        ]);
        assert_eq!(report, "", "{ask}{test}");
    }
}

#[test]
fn messages_are_as_long_as_the_step_says_or_the_office_or_the_default() {
    let flow = "start = \"a\"\nerror = \"hangup\"\n\
                [steps.a]\ndo = \"voicemail\"\nmailbox = \"box\"\nlongest = \"90s\"\nnext = \"b\"\n\
                [steps.b]\ndo = \"voicemail\"\nmailbox = \"box\"\nsilence = \"2s\"\nnext = \"c\"\n\
                [steps.c]\ndo = \"record\"\ninto = \"it\"\nnext = \"hangup\"\n";
    let mailbox = "[[mailbox]]\nname = \"box\"\n";
    for (office, longest, silence) in [
        ("", 180, 5),
        ("longest = \"10m\"\nsilence = \"9s\"\n", 600, 9),
    ] {
        let voicemail = format!("{office}{mailbox}");
        let files = [("flows/main.toml", flow), ("voicemail.toml", &voicemail)];
        let (office, _) = flows(&files).unwrap_or_else(|report| panic!("{report}"));
        let steps = &office.flows["main"].steps;
        let terms = |step: &str| match &steps[step] {
            Step::Voicemail(it) => &it.terms,
            Step::Record(it) => &it.terms,
            other => panic!("{other:?}"),
        };
        let lengths = |step| {
            let terms = terms(step);
            (terms.longest.as_secs(), terms.silence.as_secs())
        };
        assert_eq!(lengths("a"), (90, silence));
        assert_eq!(lengths("b"), (longest, 2));
        assert_eq!(lengths("c"), (120, 5));
    }
}

#[test]
fn tests_may_stand_in_a_file_of_their_own() {
    let text = "[[test]]\n[test.expect]\npath = [\"b\"]\n";
    let said = said_of(&[("flows/shop.test.toml", text)]);
    assert_eq!(
        said,
        ["flows/shop.test.toml:3:8: error: the test \"1\" fails: another `path`"]
    );
    let said = said_of(&[("flows/shopp.test.toml", text)]);
    assert_eq!(
        said,
        ["flows/shopp.test.toml:1:1: error: there is no flow \"shopp\""]
    );
}

#[test]
fn names_that_nobody_gives_have_their_place() {
    let said = said(
        "start = \"a\"\n[steps.a]\ndo = \"set\"\n\
         attributes = { x = \"{{ call.fron }} {{ attributes.none }}\", y = \"{{ number.shop }}\" }\n\
         next = \"b\"\n[steps.b]\ndo = \"branch\"\n\
         cases = [{ if = \"attributes.z > 1 AND vip\", next = \"hangup\" }]\notherwise = \"c\"\n\
         [steps.c]\ndo = \"set\"\nattributes = { w = \"{{ attributes.x }}{{ digits.a }}\" }\n\
         next = \"hangup\"\n",
    );
    let expected = [
        "flows/main.toml:4:24: error: there is no `call.fron`",
        "flows/main.toml:4:40: error: nothing sets the attribute `none`",
        "flows/main.toml:4:69: error: no number that leads to this flow has `shop`",
        "flows/main.toml:8:18: error: nothing sets the attribute `z`",
        "flows/main.toml:8:39: error: nothing is called `vip` here",
        "flows/main.toml:12:42: error: there is no `digits.a`",
    ];
    let mut sorted = said.clone();
    sorted.sort();
    let mut wanted: Vec<String> = expected.map(str::to_owned).to_vec();
    wanted.sort();
    assert_eq!(sorted, wanted);
}

#[test]
fn replies_and_figures_are_known_where_they_can_be() {
    let text = |first: &str| {
        format!(
            "start = \"a\"\nerror = \"hangup\"\n[steps.a]\n{first}\n[steps.b]\ndo = \"set\"\n\
             attributes = {{ x = \"{{{{ reply.ownr }}}}\", y = \"{{{{ queue.wating }}}}\" }}\n\
             next = \"hangup\"\n"
        )
    };
    let lookup = "do = \"lookup\"\ntable = \"people\"\nkey = \"1\"\nnext = \"b\"";
    let http = "do = \"http\"\nendpoint = \"crm\"\nnext = \"b\"";
    let staffing = "do = \"staffing\"\nqueue = \"sales\"\n\
                    cases = [{ if = \"queue.online > 1\", next = \"b\" }]\notherwise = \"b\"";
    let set = "do = \"set\"\nattributes = { z = 1 }\nnext = \"b\"";
    for (first, reply, queue) in [
        (
            lookup,
            "did you mean \"owner\"?",
            "no step looks at a queue",
        ),
        (http, "", "no step looks at a queue"),
        (
            staffing,
            "no step asks for a reply",
            "did you mean \"waiting\"?",
        ),
        (set, "no step asks for a reply", "no step looks at a queue"),
    ] {
        let report = flows(&[
            ("flows/main.toml", &text(first)),
            ("tables/people.csv", "number,owner\n1,sato\n"),
            (
                "webhooks.toml",
                "[[endpoint]]\nname = \"crm\"\nurl = \"https://crm.example/\"\n",
            ),
        ]);
        let Err(report) = report else {
            panic!("{first}")
        };
        let help = |message: &str| {
            let found = report.problems.iter().find(|it| it.message == message);
            found.map_or(String::new(), |it| it.help.clone())
        };
        let (of_reply, of_queue) = (
            help("there is no `reply.ownr`"),
            help("there is no `queue.wating`"),
        );
        assert_eq!(of_reply.is_empty(), reply.is_empty(), "{report}");
        assert!(of_reply.starts_with(reply), "{of_reply}");
        assert!(of_queue.starts_with(queue), "{of_queue}: {report}");
    }
    // That there was no reply can always be asked, and what a flow asks is known to its parts.
    let whole = "start = \"a\"\nerror = \"b\"\n[steps.a]\ndo = \"lookup\"\ntable = \"people\"\n\
                 key = \"1\"\nnext = \"b\"\n[steps.b]\ndo = \"flow\"\nflow = \"part\"\nnext = \"hangup\"\n";
    let part = "start = \"a\"\n[steps.a]\ndo = \"set\"\n\
                attributes = { x = \"{{ reply.error }}{{ reply.owner }}\" }\nnext = \"return\"\n";
    let said = said_of(&[
        ("flows/main.toml", whole),
        ("flows/part.toml", part),
        ("tables/people.csv", "number,owner\n1,sato\n"),
    ]);
    assert_eq!(said, Vec::<String>::new());
}

#[test]
fn what_a_number_gives_is_known_to_its_flow() {
    let text = "start = \"a\"\n[steps.a]\ndo = \"set\"\n\
                attributes = { x = \"{{ number.shop }} {{ attributes.visits }}\" }\nnext = \"hangup\"\n";
    assert_eq!(said_of(&[("flows/shop.toml", text)]), Vec::<String>::new());
}

#[test]
fn failures_that_lead_nowhere_and_names_that_nothing_has_are_refused() {
    let said = said(
        "start = \"a\"\n[steps.a]\ndo = \"http\"\nendpoint = \"crm\"\nnext = \"b\"\n\
         [steps.b]\ndo = \"lookup\"\ntable = \"owners\"\nkey = \"1\"\nnext = \"c\"\nerror = \"c\"\n\
         [steps.c]\ndo = \"hours\"\ncalendar = \"clinic\"\nopen = \"d\"\nclosed = \"d\"\nerror = \"d\"\n\
         [steps.d]\ndo = \"say\"\ntext = \"hello\"\nvoice = \"mei\"\nnext = \"hangup\"\n",
    );
    assert_eq!(
        said,
        [
            "flows/main.toml:2:1: error: nothing says where to go when this fails",
            "flows/main.toml:4:12: error: there is no endpoint \"crm\"",
            "flows/main.toml:8:9: error: there is no table \"owners\"",
            "flows/main.toml:14:12: error: there is no calendar \"clinic\"",
            "flows/main.toml:21:9: error: there is no voice \"mei\"",
        ]
    );
}

#[test]
fn rings_are_found_and_counted_ones_are_none() {
    let ring = |second: &str| {
        format!(
            "start = \"a\"\n[steps.a]\ndo = \"set\"\nattributes = {{ n = 1 }}\nnext = \"b\"\n\
             [steps.b]\n{second}"
        )
    };
    let branch = "do = \"branch\"\ncases = [{ if = \"attributes.n > 1\", next = \"hangup\" }]\n\
                  otherwise = \"a\"\n";
    assert_eq!(
        said(&ring(branch)),
        ["flows/main.toml:5:8: warning: these steps may go round without end: a -> b"]
    );
    let counted = "do = \"loop\"\ntimes = 2\nbody = \"a\"\nnext = \"hangup\"\n";
    assert_eq!(said(&ring(counted)), Vec::<String>::new());
    let all = "do = \"branch\"\ncases = [{ if = \"attributes.n > 1\", next = \"a\" }]\notherwise = \"b\"\n";
    assert_eq!(
        said(&ring(all)),
        ["flows/main.toml:5:8: error: these steps go round without end: a -> b"]
    );
}

#[test]
fn loops_that_take_time_and_have_no_exit_are_found() {
    let play = |name: &str, next: &str| {
        format!("[steps.{name}]\ndo = \"play\"\nsounds = [\"greeting\"]\nnext = \"{next}\"\n")
    };
    let menu = |name: &str, one: &str, failed: &str| {
        format!(
            "[steps.{name}]\ndo = \"menu\"\nprompt = [\"menu\"]\nchoices = {{ 1 = \"{one}\" }}\n\
             failed = \"{failed}\"\n"
        )
    };
    let queue = |nobody: &str| {
        format!(
            "[steps.in]\ndo = \"queue\"\nqueue = \"sales\"\nnobody = \"{nobody}\"\nafter = \"ask\"\n"
        )
    };
    let flow = |kind: &str, steps: &str| format!("type = \"{kind}\"\nstart = \"ask\"\n{steps}");
    let found = "warning: whoever comes to these steps never comes out: ";
    let ring = menu("ask", "more", "more") + &play("more", "ask");
    assert_eq!(
        said(&flow("inbound", &ring)),
        [format!("flows/main.toml:6:17: {found}ask -> more")]
    );
    for kind in ["customer_queue", "customer_hold"] {
        let steps = play("ask", "more") + &play("more", "ask");
        assert_eq!(said(&flow(kind, &steps)), Vec::<String>::new(), "{kind}");
    }
    // One way out is enough, a queue is one, and only where it cannot be reached is it none.
    let steps = menu("ask", "more", "hangup") + &play("more", "ask");
    assert_eq!(said(&flow("inbound", &steps)), Vec::<String>::new());
    let steps = menu("ask", "in", "ask") + &queue("ask");
    assert_eq!(said(&flow("inbound", &steps)), Vec::<String>::new());
    let steps =
        menu("ask", "in", "trap") + &queue("ask") + &play("trap", "more") + &play("more", "trap");
    assert_eq!(
        said(&flow("inbound", &steps)),
        [format!("flows/main.toml:16:8: {found}trap -> more")]
    );
    // A part that may end the call is a way out, one that always returns is none.
    let whole = "start = \"a\"\n[steps.a]\ndo = \"flow\"\nflow = \"part\"\nnext = \"b\"\n"
        .to_owned()
        + &play("b", "a");
    for (failed, expected) in [
        ("hangup", vec![]),
        (
            "return",
            vec![format!("flows/main.toml:5:8: {found}a -> b")],
        ),
    ] {
        let part = flow("inbound", &menu("ask", "return", failed));
        let said = said_of(&[("flows/main.toml", &whole), ("flows/part.toml", &part)]);
        assert_eq!(said, expected, "{failed}");
    }
}

#[test]
fn a_flow_that_is_a_part_of_itself_is_refused() {
    let part = |flow: &str| {
        format!("start = \"a\"\n[steps.a]\ndo = \"flow\"\nflow = \"{flow}\"\nnext = \"return\"\n")
    };
    let said = said_of(&[
        ("flows/x.toml", &part("y")),
        ("flows/y.toml", &part("x")),
        ("flows/z.toml", &part("w")),
    ]);
    assert_eq!(
        said,
        [
            "flows/x.toml:4:8: error: this flow is a part of itself: x -> y -> x",
            "flows/y.toml:4:8: error: this flow is a part of itself: y -> x -> y",
            "flows/z.toml:4:8: error: there is no flow \"w\"",
        ]
    );
}

#[test]
fn mistakes_in_steps_have_their_place_and_a_remedy() {
    for (step, expected) in [
        (
            "do = \"plya\"",
            "flows/main.toml:3:6: error: no step does \"plya\"",
        ),
        (
            "do = \"split\"\nshares = [{ percent = 30, next = \"hangup\" }]",
            "flows/main.toml:4:10: error: the shares make 30 in a hundred",
        ),
        (
            "do = \"branch\"\ncases = [{ if = \"attributes.x >\", next = \"hangup\" }]\notherwise = \"hangup\"",
            "flows/main.toml:4:",
        ),
        (
            "do = \"set\"\nattributes = { a = \"{{ call.from | uper }}\" }\nnext = \"hangup\"",
            "flows/main.toml:4:36: error: this text cannot be filled in: filter uper is unknown",
        ),
        (
            "do = \"set\"\nattributes = { a = \"{{ call.from\" }\nnext = \"hangup\"",
            "flows/main.toml:4:",
        ),
        (
            "do = \"say\"\ntext = \"hello\"\nnumber = \"1\"\nnext = \"hangup\"",
            "flows/main.toml:2:1: error: a step that says one thing needs exactly one of",
        ),
        (
            "do = \"collect\"\nprompt = []\nmax = 4\ninto = \"x\"\npattern = \"[0-\"\nfailed = \"hangup\"\nnext = \"hangup\"",
            "flows/main.toml:7:11: error: no pattern:",
        ),
        (
            "do = \"flow\"\nflow = \"shop\"\nparameters = { a = 1 }\nnext = \"hangup\"",
            "flows/main.toml:5:16: error: the flow \"shop\" has no parameter `a`",
        ),
        (
            "do = \"twiml\"\nurl = \"https://a.example/\"\nfallback_method = \"GET\"",
            "flows/main.toml:2:1: error: `fallback_method` without `fallback_url`",
        ),
        (
            "do = \"twiml\"\nurl = \"https://a.example/\"\nfallback_url = \"{{ attributes.typo }}\"",
            "flows/main.toml:5:20: error: nothing sets the attribute `typo`",
        ),
        (
            "do = \"twiml\"\nurl = \"https://a.example/\"\nstatus_callback = \"https://a.example/\"\n\
             status_callback_events = [\"gone\"]",
            "flows/main.toml:6:27: error: there is no event \"gone\" of a call",
        ),
    ] {
        let said = said(&format!("start = \"a\"\n[steps.a]\n{step}\n"));
        let found = said.iter().any(|line| line.starts_with(expected));
        assert!(found, "{step}: {said:#?}");
    }
}

/// One flow read, checked, drawn and tested without the rest of an office.
#[test]
fn steps_have_a_place_in_their_type_of_flow_and_flows_are_used_as_what_they_are() {
    let main = |text: &str| said(&format!("start = \"a\"\n{text}"));
    let told = main(
        "type = \"agent_whisper\"\n[steps.a]\ndo = \"queue\"\nqueue = \"sales\"\nnobody = \"return\"\n",
    );
    assert!(
        told[0].contains("flows/main.toml:4") && told[0].contains("has no place in a flow of type"),
        "{told:?}"
    );
    let told = main(
        "type = \"disconnect\"\n[steps.a]\ndo = \"set\"\nattributes = { b = 1 }\nnext = \"hangup\"\n",
    );
    assert!(
        told[0].contains("flows/main.toml:6") && told[0].contains("hangs nobody up"),
        "{told:?}"
    );
    let told = main("type = \"whisper\"\n[steps.a]\ndo = \"return\"\n");
    assert!(told[0].contains("flows/main.toml:2"), "{told:?}");
    let told = main("[steps.a]\ndo = \"leave\"\n");
    assert!(told[0].contains("has no place"), "{told:?}");

    let queue = "[[queue]]\nname = \"sales\"\nagents = \"1==1\"\nqueue_flow = \"shop\"\n\
        agent_whisper = { flow = \"nowhere\" }\ncustomer_whisper = { text = \"{{ attributes.typo }}\" }\n\
        [[queue]]\nname = \"support\"\nagents = \"1==1\"\nagent_whisper = {}\n";
    let told = report_of(&[("queues.toml", queue)]);
    for (line, what) in [
        (
            "queues.toml:4",
            "flow \"shop\" is of type \"inbound\", not \"customer_queue\"",
        ),
        ("queues.toml:5", "nowhere"),
        ("queues.toml:6", "typo"),
        ("queues.toml:10", "says nothing"),
    ] {
        let found = told
            .lines()
            .any(|it| it.contains(line) && it.contains(what));
        assert!(found, "{line} {what}: {told}");
    }
}

#[test]
fn a_dial_step_says_what_is_wrong_with_it() {
    let dial = |text: &str| {
        said(&format!(
            "start = \"a\"\nerror = \"hangup\"\n[steps.a]\ndo = \"dial\"\n{text}\n"
        ))
    };
    for (text, line, what) in [
        (
            "number = \"10\"\nnumbers = [\"11\"]",
            "main.toml:5",
            "both `number` and `numbers`",
        ),
        (
            "numbers = [\"10\", \"77\"]",
            "main.toml:5",
            "nothing answers \"77\"",
        ),
        ("number = \"10\"\norder = \"ring\"", "main.toml:6", "order"),
        (
            "number = \"10\"\nbusy = \"b\"",
            "main.toml:6",
            "there is no step \"b\"",
        ),
        (
            "number = \"10\"\nwhisper = { sounds = [\"menu\"], accept = \"12\" }",
            "main.toml:6",
            "is no key",
        ),
        (
            "number = \"10\"\nwhisper = { flow = \"shop\" }",
            "main.toml:6",
            "not \"outbound_whisper\"",
        ),
        (
            "number = \"10\"\nwhisper = [\"no-such-sound\"]",
            "main.toml:6",
            "no-such-sound",
        ),
    ] {
        let told = dial(text);
        let found = told.iter().any(|it| it.contains(line) && it.contains(what));
        assert!(found, "{text}: {told:#?}");
    }
    assert_eq!(
        dial("numbers = [\"10\", \"11\"]\nwhisper = { text = \"Hello\", accept = \"1\" }"),
        Vec::<String>::new()
    );
}

#[test]
fn a_group_has_phones_and_numbers_outside_and_an_override_an_end() {
    let numbers = "[[group]]\nnumber = \"70\"\nmembers = [\"10\", \"70\", \"99\"]\n\
        [[inbound]]\nnumber = \"+81311110000\"\nflow = \"shop\"\n\
        override = { flow = \"shop\", until = \"soon\" }\n";
    let told = report_of(&[("numbers.toml", numbers)]);
    for (line, what) in [
        ("numbers.toml:3", "70 is no phone"),
        ("numbers.toml:3", "99 is no phone"),
        ("numbers.toml:7", "this is no time"),
    ] {
        let found = told
            .lines()
            .any(|it| it.contains(line) && it.contains(what));
        assert!(found, "{line} {what}: {told}");
    }
}

fn flow_alone(text: &str) -> Result<(), Report> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    fs::create_dir(directory.path().join("flows")).expect("made");
    for (name, text) in OFFICE.iter().chain(&[("flows/main.toml", text)]) {
        fs::write(directory.path().join(name), text).expect("written");
    }
    let notes = Notes::default();
    let files = Files::read(directory.path(), &notes);
    let flows = Flows::read(&files, &crate::voicemail::VoicemailTerms::default(), &notes);
    let numbers = crate::trunk::Numbers::default();
    flows.check_names(&numbers, &HashMap::new(), &notes);
    for document in flows.documents.values() {
        crate::flow::draw(document);
    }
    if !notes.has_errors() {
        flows.rehearse(Calendars::default(), &numbers, &notes);
    }
    let has_errors = notes.has_errors();
    let report = Report::new(String::new(), notes.into_problems());
    match has_errors {
        true => Err(report),
        false => Ok(()),
    }
}

/// A number that follows from another: the same every time (Knuth, MMIX).
fn next(seed: &mut u64) -> usize {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*seed >> 33).unwrap_or(0)
}

/// Bar 9 of issue 6: a thousand flows with something changed load, or are refused with a place.
#[test]
fn a_thousand_mutated_flows_load_or_are_told_where_they_are_wrong() {
    let mut texts: Vec<String> = examples(include_str!("../../../docs/flows.md"))
        .into_iter()
        .map(|(_, text)| text)
        .collect();
    texts.push(include_str!("../../../config/flows/main.toml").to_owned());
    const PIECES: [&str; 14] = [
        "\"",
        "{{",
        "}}",
        "{%",
        "[",
        "]",
        "=",
        "\n",
        "hangup",
        "0",
        "-1",
        "99999999999999999999",
        "名",
        "\u{0}",
    ];
    let (mut seed, mut good, mut refused) = (7, 0, 0);
    for round in 0..1000 {
        let mut text: Vec<char> = texts[round % texts.len()].chars().collect();
        for _ in 0..=next(&mut seed) % 3 {
            let at = next(&mut seed) % text.len();
            let length = next(&mut seed) % 12;
            let end = (at + length).min(text.len());
            match next(&mut seed) % 4 {
                0 => drop(text.drain(at..end)),
                1 => {
                    let copied: Vec<char> = text[at..end].to_vec();
                    let to = next(&mut seed) % text.len();
                    text.splice(to..to, copied);
                }
                2 => {
                    let piece = PIECES[next(&mut seed) % PIECES.len()];
                    text.splice(at..at, piece.chars());
                }
                _ => {
                    let other = next(&mut seed) % text.len();
                    text.swap(at, other);
                }
            }
        }
        let text: String = text.into_iter().collect();
        match flow_alone(&text) {
            Ok(_) => good += 1,
            Err(report) => {
                refused += 1;
                let wrong: Vec<_> = report.problems.iter().collect();
                assert!(!wrong.is_empty());
                for problem in wrong {
                    assert!(problem.place.line() >= 1 && !problem.message.is_empty());
                    assert!(!problem.help.is_empty(), "{}", problem.message);
                }
                report.render(Style::Plain);
            }
        }
    }
    assert!(good > 50 && refused > 300, "{good} good, {refused} refused");
}
