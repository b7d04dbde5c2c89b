//! INFO: heard and answered in its dialog, refused with a package, and sent.

use super::*;
use crate::sip::ua::{Body, Event};
use crate::sip::{HeaderName, Message};

fn key(digit: char) -> Body {
    Body {
        content_type: "application/dtmf-relay".into(),
        bytes: format!("Signal={digit}\r\n").into(),
    }
}

#[test]
fn an_info_in_a_dialog_is_heard_once_even_when_repeated() {
    let mut world = World::new(6086);
    let (ours, _) = world.connect();
    // Its 200 is lost twice.
    let mut lost = 0;
    world.filter = Box::new(move |sent| {
        lost += usize::from(sent.what == "200 INFO");
        sent.what != "200 INFO" || lost > 2
    });
    world.with(A, |a, now| a.info(now, ours, key('5')));
    world.run_for(10_000);
    let heard: Vec<_> = world.events[B]
        .iter()
        .filter_map(|event| match event {
            Event::Info { request, .. } => Some(request.body().to_vec()),
            _ => None,
        })
        .collect();
    assert_eq!(heard, [b"Signal=5\r\n".to_vec()]);
    assert_eq!((world.count("INFO"), world.count("200 INFO")), (3, 3));
}

#[test]
fn an_info_before_the_answer_or_after_the_end_is_not_sent() {
    let mut world = World::new(6087);
    let ours = world.invite(A);
    world.with(A, |a, now| a.info(now, ours, key('5')));
    world.run_for(50);
    world.with(A, |a, now| a.cancel(now, ours, &[]));
    world.run_for(1_000);
    world.with(A, |a, now| a.info(now, ours, key('5')));
    world.run_for(1_000);
    assert_eq!(world.count("INFO"), 0);
}

#[test]
fn an_info_of_a_package_is_refused_with_those_we_know() {
    let mut world = World::new(6088);
    world.connect();
    let ok = world.sent.iter().find(|sent| sent.what == "200 INVITE");
    let ok = Message::parse(ok.unwrap().bytes.clone()).unwrap();
    let text = |name| ok.header_text(name).unwrap().into_owned();
    let request = format!(
        "INFO sip:alice@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:5060;branch=z9hG4bK1\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 100 INFO\r\n\
         Info-Package: foo\r\nContent-Length: 0\r\n\r\n",
        text(HeaderName::To),
        text(HeaderName::From),
        text(HeaderName::CallId),
    );
    world.inject(A, request);
    let answer = world.sent.iter().rfind(|sent| sent.what == "469 INFO");
    let answer = Message::parse(answer.expect("refused").bytes.clone()).unwrap();
    assert_eq!(
        answer.header_text(HeaderName::RecvInfo).as_deref(),
        Some("")
    );
    assert!(!world.names(A).contains(&"info"));
}
