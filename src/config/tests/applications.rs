//! Numbers whose calls are an application's.

use super::*;
use crate::trunk::{Destination, Origin};
use crate::twiml::{Link, Method, ProgressEvent, Source};

/// An office with this inbound number.
fn with(inbound: &str) -> Result<Office, Report> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("written");
    };
    write("node.toml", "name = \"a\"\nregion = \"b\"\n");
    let number = "[[inbound]]\nnumber = \"+81312345678\"\n";
    write("numbers.toml", &format!("{number}{inbound}"));
    load_with(directory.path(), &[])
}

#[test]
fn a_number_names_a_url_and_who_else_is_asked_and_told() {
    let office = with(
        "url = \"https://app.example/start#rc=2\"\nmethod = \"GET\"\n\
         fallback_url = \"https://app.example/sorry\"\n\
         status_callback = \"https://app.example/status\"\n\
         status_callback_events = [\"ringing\", \"completed\"]\n\
         attributes = { language = \"ja\" }\n",
    )
    .expect("correct");
    let terms = &office.applications["+81312345678"];
    let Source::Url(first) = &terms.source else {
        panic!("{terms:?}");
    };
    assert_eq!(first.url, "https://app.example/start#rc=2");
    assert_eq!(first.method, Method::Get);
    assert_eq!(
        terms.fallback,
        Some(Link::post("https://app.example/sorry"))
    );
    let status = terms.status.as_ref().expect("one");
    assert_eq!(
        status.events,
        [ProgressEvent::Ringing, ProgressEvent::Completed]
    );
    let destination = office.numbers.dialled(Origin::Trunk("any"), "+81312345678");
    let Some(Destination::Application { attributes, .. }) = destination else {
        panic!("{destination:?}");
    };
    assert_eq!(attributes["language"], "ja");
}

#[test]
fn what_is_wrong_with_an_application_is_told_where_it_stands() {
    for (inbound, place, message) in [
        ("", "numbers.toml:1:1", "flow"),
        (
            "url = \"https://app.example/\"\nflow = \"main\"\n",
            "numbers.toml:4:",
            "both `flow` and `url`",
        ),
        (
            "flow = \"main\"\nstatus_callback = \"https://app.example/\"\n",
            "numbers.toml:1:1",
            "`status_callback` without `url`",
        ),
        ("url = \"ftp://app.example/\"\n", "numbers.toml:3:", "http"),
        (
            "url = \"http://127.0.0.1:5000/\"\n",
            "numbers.toml:3:",
            "127.0.0.1",
        ),
        (
            "url = \"https://app.example/\"\nstatus_callback = \"https://app.example/\"\n\
             status_callback_events = [\"answer\"]\n",
            "numbers.toml:5:",
            "no event \"answer\"",
        ),
        (
            "url = \"https://app.example/\"\nmethod = \"PUT\"\n",
            "numbers.toml:4:",
            "PUT",
        ),
    ] {
        let report = with(inbound).expect_err(inbound).to_string();
        let is_told = |line: &str| line.starts_with(place) && line.contains(message);
        assert!(report.lines().any(is_told), "{inbound}\n{report}");
    }
}
