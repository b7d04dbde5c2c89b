//! What `webhooks.toml` says of endpoints, and what a reload tells of them.

use std::time::Duration;

use super::*;
use crate::webhook::{BreakerTerms, Method, RetryOn, SignatureMode, Terms};

/// An office with these endpoints.
fn with(text: &str, variables: &[(&str, &str)]) -> Result<Office, Report> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("written");
    };
    write("node.toml", "name = \"a\"\nregion = \"b\"\n");
    write("webhooks.toml", text);
    load_with(directory.path(), variables)
}

const CRM: &str = "[[endpoint]]\nname = \"crm\"\nurl = \"https://crm.example/a#rc=2\"\n";

#[test]
fn an_endpoint_has_the_defaults_that_are_written_in_the_reference() {
    let office = with(CRM, &[]).expect("correct");
    let crm = &office.webhooks.endpoints["crm"];
    assert_eq!(crm.target.as_str(), "https://crm.example/a");
    assert_eq!(crm.target.overrides().retries, Some(2));
    assert_eq!(crm.method, Method::Post);
    let terms = &crm.terms;
    assert_eq!(terms.budget, Duration::from_secs(8));
    assert_eq!(terms.connect, Duration::from_secs(3));
    assert_eq!(terms.read, Duration::from_secs(8));
    assert_eq!((terms.retries, terms.retry_on), (1, RetryOn::CONNECT));
    assert_eq!(terms.signature, SignatureMode::HmacSha256);
    assert_eq!(terms.secret, None);
    assert_eq!((terms.requests, terms.reply_limit), (50, 1 << 20));
    assert_eq!(terms.breaker, BreakerTerms::default());
    // URLs of documents have what Twilio has.
    let urls = &office.webhooks.urls;
    assert_eq!(urls.signature, SignatureMode::Twilio);
    assert_eq!(
        (urls.budget, urls.connect, urls.read),
        (
            Terms::default().budget,
            Duration::from_secs(5),
            Duration::from_secs(15)
        )
    );
    assert_eq!(office.webhooks.limits.requests, 200);
    assert_eq!(office.webhooks.notices.tries, 5);
}

#[test]
fn networks_for_all_hold_for_endpoints_and_urls() {
    let text = "networks = [\"10.0.0.0/8\"]\n[[endpoint]]\nname = \"a\"\nurl = \"http://10.1.1.1/\"\n\
                [[endpoint]]\nname = \"b\"\nurl = \"http://127.0.0.1/\"\nnetworks = [\"127.0.0.1\"]\n\
                [urls]\nbudget = \"3s\"\n";
    let office = with(text, &[]).expect("correct");
    let inside = "10.9.9.9".parse().expect("an address");
    let own = "127.0.0.1".parse().expect("an address");
    let webhooks = &office.webhooks;
    assert_eq!(webhooks.urls.addresses.check(inside), Ok(()));
    assert!(webhooks.urls.addresses.check(own).is_err());
    assert_eq!(webhooks.endpoints["b"].terms.addresses.check(own), Ok(()));
    assert_eq!(
        webhooks.endpoints["b"].terms.addresses.check(inside),
        Ok(())
    );
}

#[test]
fn a_reload_tells_what_changed_of_endpoints_and_never_a_secret() {
    let secret = |value| {
        let text = format!("{CRM}secret = \"env:CRM\"\n");
        with(&text, &[("CRM", value)]).expect("correct")
    };
    let (old, new) = (secret("geheim1"), secret("geheim2"));
    let changes = old.changes_to(&new);
    assert_eq!(changes.changed, ["secret of endpoint crm"]);
    assert!(!format!("{:?}", new.webhooks).contains("geheim"));
    let slower = with(&format!("{CRM}budget = \"5s\"\n"), &[]).expect("correct");
    let plain = with(CRM, &[]).expect("correct");
    assert_eq!(plain.changes_to(&slower).changed, ["endpoint crm"]);
    let fewer = with(&format!("requests = 3\n{CRM}"), &[]).expect("correct");
    assert_eq!(plain.changes_to(&fewer).changed, ["webhooks"]);
    let none = with("", &[]).expect("correct");
    assert_eq!(none.changes_to(&plain).added, ["endpoint crm"]);
}

#[test]
fn a_secret_in_a_url_or_in_plain_text_is_not_repeated_in_the_report() {
    let report = load_with(&below("tests/data/broken/webhooks"), &[]).expect_err("broken");
    assert!(!report.render(Style::Plain).contains("himitsu"));
    assert!(!report.to_string().contains("himitsu"));
}

const ACCOUNT: &str =
    "[account]\nsid = \"AC0123456789abcdef0123456789abcdef\"\ntoken = \"env:T\"\n";

#[test]
fn the_token_of_the_account_signs_what_has_no_secret() {
    let office = with(ACCOUNT, &[("T", "abc")]).expect("correct");
    let account = office.webhooks.account.as_ref().expect("an account");
    assert_eq!(account.sid, "AC0123456789abcdef0123456789abcdef");
    assert!(account.token.is(b"abc") && !account.token.is(b"abd"));
    assert_eq!(office.webhooks.urls.secret, Some(account.token.clone()));
    let signed = format!("{ACCOUNT}[urls]\nsignature = \"twilio\"\n{CRM}");
    let office = with(&signed, &[("T", "abc")]).expect("correct");
    assert!(
        office
            .webhooks
            .urls
            .secret
            .as_ref()
            .is_some_and(|it| it.is(b"abc"))
    );
    // An endpoint is somebody else.
    assert_eq!(office.webhooks.endpoints["crm"].terms.secret, None);
    let other = format!("{ACCOUNT}[urls]\nsecret = \"env:O\"\n");
    let office = with(&other, &[("T", "abc"), ("O", "xyz")]).expect("correct");
    assert!(
        office
            .webhooks
            .urls
            .secret
            .as_ref()
            .is_some_and(|it| it.is(b"xyz"))
    );
}

#[test]
fn an_account_is_whole_or_an_error() {
    let t = [("T", "abc")];
    for (text, words) in [
        ("[account]\ntoken = \"env:T\"\n".to_owned(), "sid"),
        (
            "[account]\nsid = \"AC12\"\ntoken = \"env:T\"\n".to_owned(),
            "is no account SID",
        ),
        (ACCOUNT.replace("AC", "CA"), "is no account SID"),
        (ACCOUNT.replace("env:T", "abc"), "plain text"),
        (ACCOUNT.replace("env:T", "env:NONE"), "is not set"),
        (ACCOUNT.replace("token", "tokn"), "token"),
    ] {
        let report = with(&text, &t).expect_err("wrong").to_string();
        assert!(report.contains(words), "{text}: {report}");
    }
}

#[test]
fn the_rest_api_wants_an_account() {
    let load = |node: &str, webhooks: &str| {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let write = |name: &str, text: &str| {
            fs::write(directory.path().join(name), text).expect("written");
        };
        write(
            "node.toml",
            &format!("name = \"a\"\nregion = \"b\"\n{node}"),
        );
        write("webhooks.toml", webhooks);
        load_with(directory.path(), &[("T", "abc")])
    };
    let rest = "[rest]\nlisten = \"0.0.0.0:9092\"\nurl = \"https://pbx.example/\"\n";
    let office = load(rest, ACCOUNT).expect("correct");
    let settings = office.node.rest.expect("served");
    assert_eq!(
        (settings.listen.port(), settings.url.as_str()),
        (9092, "https://pbx.example")
    );
    let plain = load("[rest]\nlisten = \"127.0.0.1:9092\"\n", ACCOUNT).expect("correct");
    assert_eq!(
        plain.node.rest.expect("served").url,
        "http://127.0.0.1:9092"
    );
    for (node, webhooks, words) in [
        (rest, "", "has no account"),
        (
            "[rest]\nlisten = \"127.0.0.1:9090\"\n[http]\nlisten = \"127.0.0.1:9090\"\n",
            ACCOUNT,
            "port of its own",
        ),
        (
            "[rest]\nlisten = \"127.0.0.1:9092\"\nurl = \"pbx\"\n",
            ACCOUNT,
            "API can be",
        ),
    ] {
        let report = load(node, webhooks).expect_err("wrong").to_string();
        assert!(report.contains(words), "{report}");
    }
}
