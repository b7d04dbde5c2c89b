//! What endpoints that behave hear, and what is made of their replies.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::world::{World, header, json, ok_json, reply, settings, with_endpoint, with_terms};
use crate::base::CallId;
use crate::webhook::{
    Ask, Content, Expects, FailureKind, Method, SignatureMode, SigningSecret, Terms, To, ours,
    twilio,
};

fn form(to: To) -> Ask {
    let fields = [("CallSid", "CA1"), ("From", "+8190"), ("Name", "花 &=")];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ask::new(to, Content::Form(fields.into()), Expects::Anything)
}

fn signed(signature: SignatureMode) -> Terms {
    Terms {
        signature,
        secret: Some(SigningSecret::new("12345")),
        ..Terms::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_form_is_posted_and_signed_as_twilio_does() {
    let world = World::new();
    world.answering(|_| reply(200, "", ""));
    let web = world.web(with_terms(signed(SignatureMode::Twilio)));
    let ask = form(To::Url("http://x.test:80/voice?a=1#rc=0".into()));
    let Content::Form(fields) = &ask.content else {
        unreachable!("it is a form")
    };
    let expected = twilio(
        &SigningSecret::new("12345"),
        "http://x.test/voice?a=1",
        fields,
    );
    web.ask(ask).await.unwrap();
    let heard = world.heard();
    assert!(
        heard[0].starts_with("POST /voice?a=1 HTTP/1.1\r\n"),
        "{}",
        heard[0]
    );
    assert_eq!(header(&heard[0], "host"), Some("x.test"));
    assert_eq!(
        header(&heard[0], "x-twilio-signature"),
        Some(expected.as_str())
    );
    assert!(heard[0].ends_with("CallSid=CA1&From=%2B8190&Name=%E8%8A%B1+%26%3D"));
    let content_type = header(&heard[0], "content-type").unwrap();
    assert!(content_type.starts_with("application/x-www-form-urlencoded"));
}

#[tokio::test(start_paused = true)]
async fn the_fields_of_a_get_are_in_the_url_that_is_signed() {
    let world = World::new();
    world.answering(|_| reply(200, "", ""));
    let web = world.web(with_terms(signed(SignatureMode::Twilio)));
    let mut ask = form(To::Url("http://x.test/voice?a=1".into()));
    ask.method = Some(Method::Get);
    web.ask(ask).await.unwrap();
    let heard = world.heard();
    let path = "/voice?a=1&CallSid=CA1&From=%2B8190&Name=%E8%8A%B1+%26%3D";
    assert!(
        heard[0].starts_with(&format!("GET {path} HTTP/1.1\r\n")),
        "{}",
        heard[0]
    );
    let url = format!("http://x.test{path}");
    let expected = twilio(&SigningSecret::new("12345"), &url, &[]);
    assert_eq!(
        header(&heard[0], "x-twilio-signature"),
        Some(expected.as_str())
    );
    assert_eq!(header(&heard[0], "content-length"), None);
}

#[tokio::test(start_paused = true)]
async fn json_has_its_digest_in_the_url_for_twilio_and_is_signed_whole_by_us() {
    let world = World::new();
    world.answering(|_| ok_json("{}"));
    let web = world.web(with_terms(signed(SignatureMode::Twilio)));
    web.ask(json("http://x.test/j")).await.unwrap();
    let digest = "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862";
    let line = format!("POST /j?bodySHA256={digest} HTTP/1.1\r\n");
    assert!(world.heard()[0].starts_with(&line), "{}", world.heard()[0]);

    let endpoint = with_endpoint(
        "http://x.test/j",
        Method::Get,
        signed(SignatureMode::HmacSha256),
    );
    let web = world.web(endpoint);
    let mut ask = json("");
    ask.to = To::Endpoint("crm".into());
    web.ask(ask).await.unwrap();
    let heard = world.heard();
    assert!(heard[1].starts_with("POST /j HTTP/1.1\r\n"), "{}", heard[1]);
    let seconds = header(&heard[1], "tsunagu-timestamp")
        .unwrap()
        .parse()
        .unwrap();
    let expected = ours(&SigningSecret::new("12345"), seconds, b"{\"a\":1}");
    assert_eq!(
        header(&heard[1], "tsunagu-signature"),
        Some(expected.as_str())
    );
    assert_eq!(header(&heard[1], "x-twilio-signature"), None);
}

#[tokio::test(start_paused = true)]
async fn another_host_gets_neither_our_signature_nor_name_and_password() {
    let world = World::new();
    world.name("y.test", &[&["11.0.0.2"]]);
    world.answering(|_| reply(307, "Location: http://y.test/b\r\n", ""));
    world.answering_at("11.0.0.2", |_| ok_json("{}"));
    let terms = signed(SignatureMode::HmacSha256);
    let web = world.web(with_endpoint("http://me:pw@x.test/", Method::Post, terms));
    let mut ask = json("");
    ask.to = To::Endpoint("crm".into());
    let reply = web.ask(ask).await.unwrap();
    assert_eq!(reply.url.as_deref(), Some("http://y.test/b"));
    let heard = world.heard();
    assert_eq!(header(&heard[0], "authorization"), Some("Basic bWU6cHc="));
    assert!(header(&heard[0], "tsunagu-signature").is_some());
    assert_eq!(header(&heard[1], "authorization"), None);
    assert_eq!(header(&heard[1], "tsunagu-signature"), None);
    assert!(heard[1].ends_with("{\"a\":1}"));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_not_there_is_told() {
    let mut ask = json("");
    ask.to = To::Endpoint("crn".into());
    let failure = World::new().web(settings()).ask(ask).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NoEndpoint);
    let failure = World::new().ask("mailto:a@x.test").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::NoEndpoint);
}

#[tokio::test(start_paused = true)]
async fn cookies_of_a_call_come_back_with_the_call_alone() {
    let world = World::new();
    world.answering(|_| reply(200, "Set-Cookie: session=a1; Path=/\r\n", ""));
    let web = world.web(settings());
    let ask = |call: Option<&str>| {
        let mut ask = form(To::Url("http://x.test/".into()));
        ask.call = call.map(CallId::new);
        web.ask(ask)
    };
    for call in [Some("a"), Some("a"), Some("b"), None] {
        ask(call).await.unwrap();
    }
    web.forget(&CallId::new("a"));
    ask(Some("a")).await.unwrap();
    let heard = world.heard();
    let cookies: Vec<_> = heard
        .iter()
        .map(|request| header(request, "cookie"))
        .collect();
    assert_eq!(cookies, [None, Some("session=a1"), None, None, None]);
}

#[tokio::test(start_paused = true)]
async fn a_get_that_may_be_kept_is_asked_once_and_then_after_its_tag() {
    let world = World::new();
    world.answering(|request| {
        let headers = "Cache-Control: max-age=60\r\nETag: \"v1\"\r\n";
        match header(request, "if-none-match") {
            Some("\"v1\"") => reply(304, headers, ""),
            _ => reply(200, headers, "hello"),
        }
    });
    let web = world.web(settings());
    let ask = |method| {
        let url = To::Url("http://x.test/greeting".into());
        let mut ask = Ask::new(url, Content::Nothing, Expects::Anything);
        ask.method = Some(method);
        web.ask(ask)
    };
    let first = ask(Method::Get).await.unwrap();
    let kept = ask(Method::Get).await.unwrap();
    assert_eq!((first.attempts, kept.attempts), (1, 0));
    assert_eq!(kept.body, first.body);
    assert_eq!(world.heard().len(), 1);
    tokio::time::sleep(Duration::from_secs(61)).await;
    let renewed = ask(Method::Get).await.unwrap();
    assert_eq!((renewed.status, &renewed.body[..]), (200, &b"hello"[..]));
    assert_eq!(world.heard().len(), 2);
    ask(Method::Post).await.unwrap();
    assert_eq!(world.heard().len(), 3);
    // Which may have changed it.
    ask(Method::Get).await.unwrap();
    assert_eq!(world.heard().len(), 4);
    assert_eq!(header(&world.heard()[3], "if-none-match"), None);
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_before_a_reload_is_used_no_more() {
    let world = World::new();
    world.server("11.0.0.1", |mut stream| async move {
        while super::world::read_request(&mut stream).await.is_some() {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let reply = ok_json("{}");
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, reply.as_bytes()).await;
        }
    });
    let web = world.web(settings());
    let slow = tokio::spawn({
        let web = web.clone();
        async move { web.ask(json("http://x.test/")).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    web.set(settings());
    slow.await.unwrap().unwrap();
    assert_eq!(web.figures().resting, 1);
    web.ask(json("http://x.test/")).await.unwrap();
    assert_eq!(world.dialled.lock().unwrap().len(), 2);
    web.ask(json("http://x.test/")).await.unwrap();
    assert_eq!(world.dialled.lock().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn one_connection_serves_many_and_a_closed_one_is_not_noticed() {
    let world = World::new();
    world.answering(|_| ok_json("{}"));
    let web = world.web(settings());
    for _ in 0..5 {
        web.ask(json("http://x.test/")).await.unwrap();
    }
    assert_eq!(world.dialled.lock().unwrap().len(), 1);
    assert_eq!(web.figures().resting, 1);
    // A server that closes after each reply without saying so.
    let world = World::new();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    world.server("11.0.0.1", move |mut stream| {
        let count = count.clone();
        async move {
            super::world::read_request(&mut stream).await;
            count.fetch_add(1, Ordering::Relaxed);
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, ok_json("{}").as_bytes()).await;
        }
    });
    let web = world.web(settings());
    for _ in 0..5 {
        web.ask(json("http://x.test/#rc=0")).await.unwrap();
    }
    assert_eq!(requests.load(Ordering::Relaxed), 5);
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_counted() {
    let world = World::new();
    world.answering(|_| ok_json("{}"));
    let web = world.web(settings());
    web.ask(json("http://x.test/")).await.unwrap();
    let _ = web.ask(json("http://127.0.0.1/")).await;
    let figures = web.figures();
    let of = |word| {
        figures
            .questions
            .iter()
            .find(|(known, _)| *known == word)
            .unwrap()
            .1
    };
    assert_eq!(
        (of("reply"), of("denied_address"), of("refused")),
        (1, 1, 0)
    );
}
