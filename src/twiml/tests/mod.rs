//! Documents and runs, row by row of what the public platform says, in virtual time.

mod attributes;
mod calls;
mod dials;
mod documents;
mod gathers;
mod properties;
mod queues;

use std::time::Duration;

use super::*;
use crate::base::Timestamp;

/// One leg, its application and the clock.
struct Line {
    run: Run,
    now: Timestamp,
    /// The last request for a document.
    request: u64,
}

fn facts() -> Facts {
    Facts {
        call: Sid::derive(SidKind::Call, "1"),
        account: Sid::derive(SidKind::Account, "main"),
        from: "+819012345678".to_owned(),
        to: "+81312345678".to_owned(),
        direction: Direction::Inbound,
        forwarded_from: None,
        caller_name: None,
        parent: None,
        token: None,
        more: Form::new(),
    }
}

fn terms() -> Terms {
    Terms {
        api: "https://pbx.example".to_owned(),
        caller_ids: vec!["+81399999999".to_owned()],
        ..Terms::of_url(Link::post("https://app.example/start#rc=2"))
    }
}

fn sid(kind: SidKind, id: &str) -> Sid {
    Sid::derive(kind, id)
}

fn response(verbs: &str) -> String {
    format!("<Response>{verbs}</Response>")
}

/// The only verb of a document, with all remarks.
fn verb(text: &str) -> (Verb, Vec<Fault>) {
    let document =
        Document::parse(&response(text)).unwrap_or_else(|fault| panic!("{text}: {fault}"));
    let [placed] = &document.verbs[..] else {
        panic!("{text}: {document:?}");
    };
    (placed.verb.clone(), document.remarks)
}

/// Why verbs are no document.
fn refused(verbs: &str) -> Fault {
    match Document::parse(&response(verbs)) {
        Ok(document) => panic!("{verbs}: {document:?}"),
        Err(fault) => fault,
    }
}

impl Line {
    fn of(facts: Facts, terms: Terms) -> Self {
        let mut line = Self {
            run: Run::new(facts, terms),
            now: Timestamp::from_millis(1_795_136_523_000),
            request: 0,
        };
        line.run.start(line.now);
        line
    }

    /// A caller whose first document this is; what was asked before is seen.
    fn with(verbs: &str) -> Self {
        Self::by(facts(), terms(), verbs)
    }

    fn by(facts: Facts, terms: Terms, verbs: &str) -> Self {
        let mut line = Self::of(facts, terms);
        line.fetched();
        line.reply(verbs);
        line
    }

    /// All that is wanted now.
    fn actions(&mut self) -> Vec<Action> {
        let actions: Vec<Action> = std::iter::from_fn(|| self.run.poll_action()).collect();
        for action in &actions {
            if let Action::Fetch(fetch) = action {
                self.request = fetch.request;
            }
        }
        actions
    }

    /// The only request for a document among what is wanted.
    fn fetched(&mut self) -> Fetch {
        let actions = self.actions();
        let mut fetches = actions.iter().filter_map(|action| match action {
            Action::Fetch(fetch) => Some(fetch.clone()),
            _ => None,
        });
        match (fetches.next(), fetches.next()) {
            (Some(fetch), None) => fetch,
            other => panic!("{other:?} in {actions:?}"),
        }
    }

    fn notices(&mut self) -> Vec<Notice> {
        let actions = self.actions().into_iter();
        let notices = actions.filter_map(|action| match action {
            Action::Notify(notice) => Some(notice),
            _ => None,
        });
        notices.collect()
    }

    fn tell(&mut self, input: Input) {
        self.run.handle(self.now, input);
    }

    fn reply(&mut self, verbs: &str) {
        self.reply_with("text/xml", response(verbs).as_bytes());
    }

    fn reply_with(&mut self, content_type: &str, body: &[u8]) {
        let result = Fetched::Reply {
            content_type: Some(content_type.to_owned()),
            body: body.to_vec(),
            url: String::new(),
        };
        self.answer_fetch(result);
    }

    fn answer_fetch(&mut self, result: Fetched) {
        let request = self.request;
        self.tell(Input::Fetched { request, result });
    }

    fn keys(&mut self, keys: &str) {
        for key in keys.chars() {
            self.tell(Input::Digit(key));
        }
    }

    /// The play at hand is over.
    fn played(&mut self) {
        let plays: Vec<u64> = self
            .actions()
            .iter()
            .filter_map(|action| match action {
                Action::Play { play, .. } => Some(*play),
                _ => None,
            })
            .collect();
        let play = *plays.last().expect("something plays");
        self.tell(Input::PlayDone { play });
    }

    /// Time passes, with every deadline in it.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.run.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.run.handle_timeout(self.now);
        }
        self.now = end;
    }

    fn pass_s(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn leg(&mut self, leg: u64, news: LegNews) {
        self.tell(Input::Leg { leg, news });
    }

    fn begun(&mut self, leg: u64) {
        let call = sid(SidKind::Call, &format!("1/{leg}"));
        self.leg(leg, LegNews::Initiated { call });
    }

    fn ended(&mut self, leg: u64, status: u16) {
        self.leg(leg, LegNews::Ended { status });
    }
}

fn value<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    let mut values = form
        .iter()
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.as_str());
    let value = values.next();
    assert_eq!(values.next(), None, "{name} twice in {form:?}");
    value
}

fn hang_up_status(actions: &[Action]) -> Option<u16> {
    actions.iter().find_map(|action| match action {
        Action::HangUp { cause } => Some(cause.sip),
        _ => None,
    })
}

fn is_answered(actions: &[Action]) -> bool {
    actions.contains(&Action::Answer)
}

fn rung(actions: &[Action]) -> Vec<Ringing> {
    let rings = actions.iter().filter_map(|action| match action {
        Action::Ring(ringing) => Some(ringing.as_ref().clone()),
        _ => None,
    });
    rings.collect()
}
