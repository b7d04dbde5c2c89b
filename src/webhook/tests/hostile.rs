//! Every way an endpoint can be wrong ends within the budget, in its kind. Time is turned: that a
//! question took exactly its timeout says that the timeout ended it.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::world::{World, json, ok_json, read_request, reply, settings, timed};
use crate::webhook::{Expects, FailureKind};

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[tokio::test(start_paused = true)]
async fn nobody_listens() {
    let failure = World::new().ask("http://x.test/#rc=0").await.unwrap_err();
    assert_eq!((failure.kind, failure.attempts), (FailureKind::Refused, 1));
    let failure = World::new().ask("http://x.test/#rc=3").await.unwrap_err();
    assert_eq!((failure.kind, failure.attempts), (FailureKind::Refused, 4));
}

#[tokio::test(start_paused = true)]
async fn a_network_that_swallows_costs_the_connect_timeout() {
    let asked = timed(async { World::new().ask("http://x.test:9/#ct=700&rc=0").await });
    let (came, took) = asked.await;
    assert_eq!(came.unwrap_err().kind, FailureKind::ConnectTimeout);
    assert_eq!(took, ms(700));
}

#[tokio::test(start_paused = true)]
async fn names_that_lead_nowhere_or_are_not_answered() {
    let failure = World::new()
        .ask("http://unknown.test/#rc=0")
        .await
        .unwrap_err();
    assert_eq!(failure.kind, FailureKind::Dns);
    let (came, took) =
        timed(async { World::new().ask("http://silent.test/#ct=500&rc=0").await }).await;
    assert_eq!((came.unwrap_err().kind, took), (FailureKind::Dns, ms(500)));
}

#[tokio::test(start_paused = true)]
async fn hanging_after_the_accept_costs_the_read_timeout_then_the_budget() {
    let world = World::new();
    world.server("11.0.0.1", |stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    let (came, took) = timed(world.ask("http://x.test/#rt=400")).await;
    assert_eq!(
        (came.unwrap_err().kind, took),
        (FailureKind::ReadTimeout, ms(400))
    );
    let (came, took) = timed(world.ask("http://x.test/#rt=2000&tt=900")).await;
    let failure = came.unwrap_err();
    assert_eq!((failure.kind, took), (FailureKind::BudgetSpent, ms(900)));
    assert_eq!(failure.words, "900ms were over: the reply was waited for");
    assert_eq!(failure.took, ms(900));
}

#[tokio::test(start_paused = true)]
async fn what_the_asker_has_left_ends_it_before_the_endpoints_own_budget() {
    let world = World::new();
    world.server("11.0.0.1", |stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    let mut ask = json("http://x.test/");
    ask.budget = Some(ms(300));
    let (came, took) = timed(async { world.web(settings()).ask(ask).await }).await;
    assert_eq!(
        (came.unwrap_err().kind, took),
        (FailureKind::BudgetSpent, ms(300))
    );
}

#[tokio::test(start_paused = true)]
async fn retries_end_with_the_budget() {
    let world = World::new();
    world.server("11.0.0.1", |stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    let (came, took) = timed(world.ask("http://x.test/#rt=400&rp=rt&rc=5&tt=800")).await;
    let failure = came.unwrap_err();
    assert_eq!((failure.kind, took), (FailureKind::BudgetSpent, ms(800)));
    assert!(
        failure.attempts == 2 || failure.attempts == 3,
        "{failure:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn one_octet_a_second_is_ended_by_the_budget() {
    let world = World::new();
    for head in [true, false] {
        world.server("11.0.0.1", move |mut stream| async move {
            read_request(&mut stream).await;
            let whole = ok_json(&format!("{{\"a\":\"{}\"}}", "x".repeat(500)));
            let at_once = if head { 0 } else { whole.len() - 400 };
            let (first, slowly) = whole.split_at(at_once);
            let _ = stream.write_all(first.as_bytes()).await;
            for octet in slowly.as_bytes() {
                if stream.write_all(&[*octet]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        // The head must come whole within one read timeout; the body must only never fall silent.
        let (came, took) = timed(world.ask("http://x.test/#rt=2000&tt=10000")).await;
        let expected = match head {
            true => (FailureKind::ReadTimeout, ms(2000)),
            false => (FailureKind::BudgetSpent, ms(10_000)),
        };
        assert_eq!((came.unwrap_err().kind, took), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_falls_silent_is_told_as_such() {
    let world = World::new();
    world.server("11.0.0.1", |mut stream| async move {
        read_request(&mut stream).await;
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{";
        let _ = stream.write_all(head.as_bytes()).await;
        std::future::pending::<()>().await;
    });
    let (came, took) = timed(world.ask("http://x.test/#rt=600")).await;
    let failure = came.unwrap_err();
    assert_eq!((failure.kind, took), (FailureKind::ReadTimeout, ms(600)));
    assert_eq!(failure.words, "the reply fell silent for 600ms");
}

#[tokio::test(start_paused = true)]
async fn redirects_in_a_ring_and_without_end() {
    let world = World::new();
    world.answering(|_| reply(302, "Location: /again\r\n", ""));
    let failure = world.ask("http://x.test/").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::RedirectLoop);
    assert_eq!(failure.kind.twilio_code(), 11215);
    // The first, and ten that were followed.
    assert_eq!(world.heard().len(), 11);
    world.answering(|_| reply(302, "", ""));
    let failure = world.ask("http://x.test/").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::RedirectLoop);
}

#[tokio::test(start_paused = true)]
async fn statuses_that_fail_are_retried_as_the_policy_says() {
    for (status, fragment, attempts) in [
        (500, "rc=2", 1),
        (500, "rc=2&rp=5xx", 3),
        (404, "rc=2&rp=5xx", 1),
        (404, "rc=2&rp=4xx", 3),
        (503, "rc=5&rp=all", 6),
    ] {
        let world = World::new();
        world.answering(move |_| reply(status, "Content-Type: application/json\r\n", "{}"));
        let failure = world
            .ask(&format!("http://x.test/#{fragment}"))
            .await
            .unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadStatus, "{fragment}");
        assert_eq!(failure.words, format!("the status is {status}"));
        assert_eq!(
            (failure.attempts, world.heard().len()),
            (attempts, attempts as usize)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_carries_the_same_token_and_another_question_another_one() {
    let world = World::new();
    world.answering(|_| reply(500, "", ""));
    let _ = world.ask("http://x.test/#rc=2&rp=5xx").await;
    let web = world.web(settings());
    let _ = web.ask(json("http://x.test/")).await;
    let _ = web.ask(json("http://x.test/")).await;
    let heard = world.heard();
    let tokens: Vec<&str> = heard
        .iter()
        .map(|request| super::world::header(request, "I-Twilio-Idempotency-Token").unwrap())
        .collect();
    assert!(tokens[0] == tokens[1] && tokens[1] == tokens[2]);
    assert_ne!(tokens[3], tokens[4]);
    assert_eq!(tokens[0].len(), 32);
}

#[tokio::test(start_paused = true)]
async fn a_long_reply_is_cut_off_whether_it_says_so_or_not() {
    let world = World::new();
    world.answering(|_| ok_json(&"x".repeat(1001)));
    let failure = world.ask("http://x.test/").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
    assert_eq!(failure.words, "the reply is longer than 1000 octets");

    let written = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = written.clone();
    world.server("11.0.0.1", move |mut stream| {
        let count = count.clone();
        async move {
            read_request(&mut stream).await;
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n";
            let _ = stream.write_all(head.as_bytes()).await;
            while stream.write_all(&[b'x'; 1000]).await.is_ok() {
                count.fetch_add(1000, std::sync::atomic::Ordering::Relaxed);
            }
        }
    });
    let failure = world.ask("http://x.test/").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::TooLarge);
    tokio::time::sleep(Duration::from_secs(1)).await;
    // No more than what the pipe and one buffer hold, of a reply without end.
    let written = written.load(std::sync::atomic::Ordering::Relaxed);
    assert!(written < 600_000, "{written}");
}

#[tokio::test(start_paused = true)]
async fn content_of_another_type_compressed_or_no_http_at_all() {
    let gzip = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    for (answer, kind) in [
        (
            reply(200, "Content-Type: text/html\r\n", "<p>"),
            FailureKind::BadContent,
        ),
        (reply(200, "", "{}"), FailureKind::BadContent),
        (reply(200, gzip, "xx"), FailureKind::BadContent),
        (
            "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned(),
            FailureKind::BrokenOff,
        ),
        (String::new(), FailureKind::BrokenOff),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n".to_owned(),
            FailureKind::BrokenOff,
        ),
        (
            format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(80_000)),
            FailureKind::TooLarge,
        ),
    ] {
        let world = World::new();
        let shown: String = answer.chars().take(40).collect();
        world.answering(move |_| answer.clone());
        let failure = world.ask("http://x.test/#rt=500&rc=0").await.unwrap_err();
        assert_eq!(failure.kind, kind, "{shown:?}: {failure}");
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_inside_are_denied_wherever_they_come_from() {
    for url in [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:10.0.0.1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://inside.test/",
    ] {
        let world = World::new();
        world.name("inside.test", &[&["10.0.0.1", "fd00::1"]]);
        let failure = world.ask(url).await.unwrap_err();
        assert_eq!(
            (failure.kind, failure.attempts),
            (FailureKind::DeniedAddress, 1),
            "{url}"
        );
        assert!(world.dialled.lock().unwrap().is_empty(), "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_checked_as_the_first_url_is() {
    let world = World::new();
    world.name("inside.test", &[&["10.0.0.1"]]);
    world.answering(|_| reply(307, "Location: http://inside.test/\r\n", ""));
    world.answering_at("10.0.0.1", |_| ok_json("{}"));
    let failure = world.ask("http://x.test/").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::DeniedAddress);
    assert_eq!(world.heard().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_leads_inside_at_the_second_look_leads_nowhere() {
    let world = World::new();
    world.name("rebind.test", &[&["11.0.0.1"], &["127.0.0.1"]]);
    world.answering(|_| ok_json("{}"));
    world.answering_at("127.0.0.1", |_| ok_json("{\"secret\":1}"));
    let reply = world.ask("http://rebind.test/").await.unwrap();
    assert_eq!(&reply.body[..], b"{}");
    let dialled = world.dialled.lock().unwrap().clone();
    assert_eq!(dialled, ["11.0.0.1:80".parse().unwrap()]);
    let failure = world.ask("http://rebind.test/").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::DeniedAddress);
}

#[tokio::test(start_paused = true)]
async fn of_several_addresses_only_allowed_ones_are_tried_and_a_dead_one_costs_little() {
    let world = World::new();
    world.name("many.test", &[&["10.0.0.1", "11.0.0.9", "11.0.0.1"]]);
    world.answering(|_| ok_json("{}"));
    world.server("11.0.0.9", |_| std::future::ready(()));
    world.ask("http://many.test:80/#rc=0").await.unwrap_err();
    world.name("slow.test", &[&["11.0.0.2", "11.0.0.1"]]);
    world.answering_at("11.0.0.1:9", |_| ok_json("{}"));
    let (came, took) = timed(world.ask("http://slow.test:9/#ct=1000&rc=0")).await;
    assert_eq!(came.unwrap_err().kind, FailureKind::ConnectTimeout);
    assert_eq!(took, ms(1000));
    let dialled = world.dialled.lock().unwrap().clone();
    assert_eq!(dialled.len(), 3, "{dialled:?}");
    assert!(
        !dialled
            .iter()
            .any(|address| address.ip().to_string() == "10.0.0.1")
    );
}

#[tokio::test(start_paused = true)]
async fn a_breaker_spares_callers_the_wait_and_lets_a_probe_find_it_well() {
    let world = World::new();
    world.answering(|_| reply(500, "", ""));
    let web = world.web(settings());
    for _ in 0..10 {
        let failure = web.ask(json("http://x.test/")).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::BadStatus);
    }
    let failure = web.ask(json("http://x.test/")).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.attempts),
        (FailureKind::BreakerOpen, 0)
    );
    assert_eq!(world.heard().len(), 10);
    assert_eq!(
        web.figures().breakers,
        [("closed", 0), ("half_open", 0), ("open", 1)]
    );
    world.name("y.test", &[&["11.0.0.1"]]);
    let other = web.ask(json("http://y.test/")).await.unwrap_err();
    assert_eq!(other.kind, FailureKind::BadStatus);
    tokio::time::sleep(Duration::from_secs(16)).await;
    world.answering(|_| ok_json("{}"));
    // Connections that rest lead to who answered before.
    web.set(settings());
    web.ask(json("http://x.test/")).await.unwrap();
    assert_eq!(
        web.figures().breakers,
        [("closed", 2), ("half_open", 0), ("open", 0)]
    );
}

#[tokio::test(start_paused = true)]
async fn more_than_may_be_asked_at_a_time_fail_at_once() {
    let world = World::new();
    world.server("11.0.0.1", |stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    let mut few = settings();
    few.limits.requests = 3;
    let web = world.web(few);
    let asked: Vec<_> = (0..3)
        .map(|_| {
            let web = web.clone();
            tokio::spawn(async move { web.ask(json("http://x.test/#tt=5000")).await })
        })
        .collect();
    tokio::time::sleep(ms(10)).await;
    assert_eq!(web.figures().running, 3);
    let (came, took) = timed(web.ask(json("http://x.test/"))).await;
    assert_eq!(
        (came.unwrap_err().kind, took),
        (FailureKind::TooBusy, ms(0))
    );
    for one in asked {
        assert_eq!(
            one.await.unwrap().unwrap_err().kind,
            FailureKind::BudgetSpent
        );
    }
    assert_eq!(web.figures().running, 0);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_dropped_is_given_up() {
    let world = World::new();
    world.server("11.0.0.1", |stream| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    });
    let web = world.web(settings());
    let (tell, mut told) = tokio::sync::mpsc::channel(1);
    let asked = web.put(json("http://x.test/"), move |came| async move {
        let _ = tell.send(came).await;
    });
    tokio::time::sleep(ms(10)).await;
    assert_eq!(web.figures().running, 1);
    drop(asked);
    tokio::time::sleep(ms(10)).await;
    assert_eq!(web.figures().running, 0);
    assert!(told.recv().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn twiml_is_not_taken_for_json_nor_json_for_twiml() {
    let world = World::new();
    world.answering(|_| ok_json("{}"));
    let mut ask = json("http://x.test/");
    ask.expects = Expects::Twiml;
    let failure = world.web(settings()).ask(ask).await.unwrap_err();
    assert_eq!(
        (failure.kind, failure.kind.twilio_code()),
        (FailureKind::BadContent, 12300)
    );
}
