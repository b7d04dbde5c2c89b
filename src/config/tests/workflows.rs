//! Workflows that are long, doubtful or read in a way of their own; agents that have things alike.

use super::routing::{OWNER_FIRST, flow, good, office, said};
use super::*;
use crate::router::{DocumentPlaces, WorkflowSpec};

/// Two agents of whom one has no attributes.
const DIFFERENT: (&str, &str) = (
    "agents.toml",
    "[[agent]]\nname = \"sato\"\nphone = \"10\"\n\
     attributes = { email = \"sato@example.com\", department_id = 1 }\n\
     [[agent]]\nname = \"emma\"\nphone = \"11\"\n",
);

/// A document of the most steps there may be, each with `step` in it.
fn long_document(step: &str) -> String {
    let filter = format!(
        "{{\"expression\":\"a==1\",\"targets\":[{{{step},\"timeout\":5}},{{\"timeout\":5}}]}}"
    );
    let filters = vec![filter; 5_000].join(",\n");
    format!("{{\"task_routing\":{{\"filters\":[\n{filters}]}}}}")
}

/// Places are sought only where something is wrong, and then in one walk through the text.
#[test]
fn a_long_document_is_loaded_without_a_walk_per_step() {
    let flow = flow("d");
    let load = |document: &str| {
        let before = DocumentPlaces::walks();
        let files = [("workflows/d.json", document), ("flows/main.toml", &flow)];
        let said = said(&[DIFFERENT, files[0], files[1]]);
        (said, DocumentPlaces::walks() - before)
    };
    let fine = "\"queue\":\"WQ1\",\"expression\":\"task.department_id == worker.department_id\"";
    let document = long_document(fine);
    assert!(document.len() > 600_000, "{}", document.len());
    let (said, walks) = load(&document);
    assert!(
        said.iter().all(|line| line.contains(": note: ")),
        "{said:#?}"
    );
    assert_eq!((said.len(), walks), (100, 1));
    // As many as 5,000 mistakes of one kind are told of a hundred times.
    for (step, level) in [
        ("\"queue\":\"fish\"", "error: there is no queue \"fish\""),
        (
            "\"queue\":\"WQ1\",\"expression\":\"worker.nothing == 1\"",
            "warning: ",
        ),
    ] {
        let (said, walks) = load(&long_document(step));
        assert!(said.iter().all(|line| line.contains(level)), "{said:#?}");
        assert_eq!(walks, 1, "{step}");
        let most = 2 * WorkflowSpec::MOST_LINTS;
        assert!((100..=most).contains(&said.len()), "{}", said.len());
    }
}

#[test]
fn a_workflow_says_how_its_document_is_read() {
    let document = "{\"task_routing\":{\"filters\":[{\"expression\":\"1==1\",\"targets\":[\n\
        {\"queue\":\"WQ1\",\"expression\":\"task.email==worker.email2\"},\n\
        {\"queue\":\"WQ1\",\"expression\":\"worker.email STARTSWITH 's'\"}]}]}}\n";
    let load = |more: &str| {
        let toml = format!("[[workflow]]\nname = \"w\"\ndocument = \"d\"\n{more}\n");
        let files = [("workflows.toml", &*toml), ("workflows/d.json", document)];
        office(&files)
    };
    let office = load("missing_equals_missing = true").expect("correct");
    let workflow = &office.plan.workflows[0];
    assert!(workflow.missing_equals_missing && workflow.extensions);
    let report = load("extensions = false").expect_err("STARTSWITH is one");
    assert_eq!(report.errors(), 1, "{report}");
    assert!(
        report
            .to_string()
            .contains("workflows/d.json:3:43: error: STARTSWITH is no part of"),
        "{report}"
    );
}

#[test]
fn notes_are_shown_and_not_counted() {
    let flow = flow("d");
    let files = [
        ("workflows/d.json", OWNER_FIRST),
        ("flows/main.toml", &*flow),
        DIFFERENT,
    ];
    let office = good(&files);
    let drawn = office.warnings.render(Style::Plain);
    assert!(
        drawn.contains("false where both attributes are missing"),
        "{drawn}"
    );
    // The one of `IN` between two scalars.
    assert_eq!(office.warnings.warnings(), 1, "{drawn}");
    assert!(drawn.contains("must be an array"), "{drawn}");
    let found = said(&files);
    let places = found
        .iter()
        .map(|line| line.split(": ").take(2).collect::<Vec<_>>().join(" "));
    assert_eq!(
        places.collect::<Vec<_>>(),
        [
            "workflows/d.json:3:34 note",
            "workflows/d.json:4:34 note",
            "workflows/d.json:6:34 warning"
        ]
    );
    // Beside an error they would only be in the way.
    let queues = "[[queue]]\nname = \"sales\"\nagents = \"email ==\"\nsid = \"WQ1\"\n";
    let more = [files[0], files[1], DIFFERENT, ("queues.toml", queues)];
    assert!(said(&more).iter().all(|line| !line.contains(": note: ")));
}

/// What two agents have alike is found however many there are.
#[test]
fn phones_and_numbers_that_two_agents_have_are_told() {
    let agents = "[[agent]]\nname = \"a\"\nphone = \"10\"\n\
        [[agent]]\nname = \"b\"\nphone = \"10\"\n\
        [[agent]]\nname = \"c\"\nphone = \"11\"\nnumber = \"10\"\n";
    assert_eq!(
        said(&[("agents.toml", agents)]),
        [
            "agents.toml:6:9: error: phone 10 already has an agent",
            "agents.toml:10:10: error: agent number 10 is taken",
        ]
    );
}

#[test]
fn two_heartbeat_sections_are_an_error() {
    let agents = "[heartbeat]\nwithin = \"5s\"\n\
        [[agent]]\nname = \"sato\"\nphone = \"10\"\n\
        attributes = { email = \"x\", department_id = 1 }\n";
    let files = [
        ("agents.toml", agents),
        ("agents/more.toml", "\n[heartbeat]\nmisses = 2\n"),
    ];
    assert_eq!(
        said(&files),
        ["agents/more.toml:2:1: error: there are two [heartbeat] sections"]
    );
}
