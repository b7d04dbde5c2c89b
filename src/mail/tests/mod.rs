//! The client against servers that behave, and servers that do not; the outbox on a turned clock.

mod outbox;
pub(crate) mod server;

use std::time::{Duration, Instant};

use super::*;
use crate::base::Timestamp;
use server::{Manners, Played};

pub(crate) fn server_at(port: u16) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        tls: Security::None,
        account: None,
        from: "留守番電話 <voicemail@pbx.test>"
            .parse()
            .expect("an address"),
        roots: Roots::default(),
        timeout: Duration::from_millis(400),
    }
}

fn letter(to: &str) -> Letter {
    Letter {
        id: "m-1.1010@pbx.test".to_owned(),
        from: "留守番電話 <voicemail@pbx.test>"
            .parse()
            .expect("an address"),
        to: to.parse().expect("an address"),
        at: Timestamp::from_millis(1_795_136_523_000),
        subject: "伝言\r\nBcc: everybody@x.test".to_owned(),
        text: "長さ 0:12\n.\nend".to_owned(),
        enclosure: Some(Enclosure {
            name: "m-1.wav".to_owned(),
            media_type: "audio/wav",
            octets: (0..=255).cycle().take(40_000).collect(),
        }),
    }
}

/// Sends one letter to a server of such manners; what came of it, what the server got, how long it took.
fn send(manners: Manners) -> (Result<(), Fault>, Played, Duration) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (port, played) = server::start(manners).await;
        let begun = Instant::now();
        let mut client = Client::default();
        let came = client.send(&server_at(port), &letter("ann@x.test")).await;
        let took = begun.elapsed();
        client.close().await;
        (came, played.now(), took)
    })
}

#[test]
fn a_letter_arrives_as_ascii_with_its_own_id_and_no_header_of_a_callers() {
    let (came, played, _) = send(Manners::Good);
    assert_eq!(came, Ok(()));
    let text = &played.letters[0];
    assert!(text.is_ascii());
    for line in [
        "Message-ID: <m-1.1010@pbx.test>",
        "Auto-Submitted: auto-generated",
        "To: ann@x.test",
        "Date: Fri, 20 Nov 2026 01:02:03 +0000",
    ] {
        assert!(text.contains(line), "{line} in {text:.900}");
    }
    assert!(
        !text.lines().any(|line| line.starts_with("Bcc:")),
        "{text:.900}"
    );
    assert!(text.contains("filename=\"m-1.wav\""), "{text:.900}");
    assert_eq!(played.commands.last().map(String::as_str), Some("QUIT"));
}

#[test]
fn one_connection_takes_many_letters() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (port, played) = server::start(Manners::Good).await;
        let (server, mut client) = (server_at(port), Client::default());
        for name in ["ann@x.test", "bob@x.test", "eve@x.test"] {
            client.send(&server, &letter(name)).await.expect("taken");
        }
        client.close().await;
        let played = played.now();
        assert_eq!((played.connections, played.letters.len()), (1, 3));
    });
}

#[test]
fn replies_4xx_wait_and_5xx_end_the_letter_alone() {
    let (came, ..) = send(Manners::Says("RCPT", "450 4.2.0 greylisted, come back"));
    assert!(
        matches!(&came, Err(Fault::Deferred(words)) if words.contains("greylisted")),
        "{came:?}"
    );
    let (came, ..) = send(Manners::Says("RCPT", "550 5.1.1 no such user"));
    assert!(
        matches!(&came, Err(Fault::Refused(words)) if words.contains("no such user")),
        "{came:?}"
    );
    let (came, ..) = send(Manners::Says("END", "554 5.7.1 spam"));
    assert!(matches!(came, Err(Fault::Refused(_))), "{came:?}");
    let (came, ..) = send(Manners::Says("MAIL", "421 4.3.2 shutting down"));
    assert!(matches!(came, Err(Fault::Away(_))), "{came:?}");
}

#[test]
fn a_server_that_refuses_at_the_door_is_away_and_no_letter_is_lost_for_it() {
    let (came, ..) = send(Manners::Says("GREETING", "554 5.3.2 not here"));
    assert!(matches!(came, Err(Fault::Away(_))), "{came:?}");
    let (came, ..) = send(Manners::Says("GREETING", "HTTP/1.1 400 Bad Request"));
    assert!(matches!(came, Err(Fault::Away(_))), "{came:?}");
    let (came, ..) = send(Manners::HangsUpAt("DATA"));
    assert!(matches!(came, Err(Fault::Away(_))), "{came:?}");
}

#[test]
fn silence_trickles_and_floods_end_within_the_timeout() {
    let patience = Duration::from_millis(400);
    let hostile = [
        Manners::SilentAt("GREETING"),
        Manners::SilentAt("MAIL"),
        Manners::SilentAt("END"),
        Manners::Trickles,
        Manners::Floods,
    ];
    for manners in hostile {
        let (came, _, took) = send(manners);
        assert!(matches!(came, Err(Fault::Away(_))), "{manners:?}: {came:?}");
        // Connecting and handing over each have their time.
        assert!(
            took < patience * 2 + Duration::from_millis(500),
            "{manners:?}: {took:?}"
        );
    }
}

#[test]
fn nothing_is_said_to_a_server_that_must_offer_tls_and_does_not() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (port, played) = server::start(Manners::Good).await;
        let server = Server {
            tls: Security::Required,
            account: Some(Account {
                user: "u".to_owned(),
                password: "secret".to_owned(),
            }),
            ..server_at(port)
        };
        let came = Client::default().send(&server, &letter("ann@x.test")).await;
        assert!(
            matches!(&came, Err(Fault::Away(words)) if words.contains("STARTTLS")),
            "{came:?}"
        );
        let played = played.now();
        assert!(!played.commands.iter().any(|it| it.starts_with("AUTH")));
        assert!(!format!("{server:?}").contains("secret"));
    });
}

#[test]
fn addresses_are_checked_and_names_in_texts_too() {
    for wrong in ["", "ann", "ann@", "@x.test", "a b@x.test", "花@x.test"] {
        assert!(wrong.parse::<Address>().is_err(), "{wrong:?}");
    }
    let long = format!("{}@x.test", "a".repeat(300));
    assert!(long.parse::<Address>().is_err());
    let known = ["who", "link"];
    assert_eq!(
        Template::new("{{ whom }}", &known),
        Err(TemplateError::Unknown("whom".to_owned()))
    );
    assert!(Template::new("{{ who ", &known).is_err());
    assert!(Template::new("{{ who | shout }}", &known).is_err());
    let good = Template::new(
        "{% if link %}{{ link }}{% else %}{{ who }}{% endif %}",
        &known,
    );
    let mut names = serde_json::Map::new();
    names.insert("who".to_owned(), "<b>".into());
    assert_eq!(good.expect("good").render(&names), "<b>");
}
