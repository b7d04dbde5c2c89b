//! The user's web application: what it answers to whom, and what it was asked and told.

use tsunagu::call::{Subject, Supply};
use tsunagu::config::Office;
use tsunagu::flow::Reply;
use tsunagu::twiml::{Fetch, Fetched, Form};
use tsunagu::webhook::{Content, Notice};

use crate::ear::likeness;
use crate::hold::hear;
use crate::office::{changed, spoken};
use crate::world::World;

/// The office, whose number is the application's.
pub(crate) fn office(more: &[(&str, &str, &str)]) -> Office {
    let number = (
        "numbers.toml",
        "flow = \"main\"",
        "url = \"https://app.example/call\"",
    );
    changed(&[&[number][..], more].concat())
}

/// What the application answers, and what it was asked.
pub(crate) struct Pages {
    /// Path, whose call it is for (its From; of everybody when empty), verbs. The first that fits.
    pages: Vec<(&'static str, &'static str, String)>,
    pub(crate) asked: Vec<Fetch>,
}

impl Pages {
    pub(crate) fn new(pages: &[(&'static str, &'static str, &str)]) -> Self {
        let own = |(path, from, verbs): &(&'static str, &'static str, &str)| {
            (*path, *from, format!("<Response>{verbs}</Response>"))
        };
        Self {
            pages: pages.iter().map(own).collect(),
            asked: Vec::new(),
        }
    }

    /// From now on a path says something else to everybody.
    pub(crate) fn say(&mut self, path: &'static str, verbs: &str) {
        self.say_to(path, "", verbs);
    }

    /// The same to those of whose calls it was said.
    pub(crate) fn say_to(&mut self, path: &'static str, whose: &'static str, verbs: &str) {
        self.pages
            .retain(|(known, from, _)| (*known, *from) != (path, whose));
        let body = format!("<Response>{verbs}</Response>");
        self.pages.push((path, whose, body));
    }

    /// Runs, and answers every question 10 ms after it came.
    pub(crate) fn run_for(&mut self, world: &mut World, ms: u64) {
        let until = world.now + std::time::Duration::from_millis(ms);
        while world.now < until {
            let left = until.since(world.now).as_millis();
            world.run_for(u64::try_from(left).expect("short").min(10));
            self.answer(world);
        }
    }

    /// Runs until something is so.
    pub(crate) fn run_to(
        &mut self,
        world: &mut World,
        what: &str,
        ms: u64,
        is_so: impl Fn(&World) -> bool,
    ) {
        let until = world.now + std::time::Duration::from_millis(ms);
        while !is_so(world) {
            assert!(
                world.now < until,
                "not in {ms} ms: {what}\n{}",
                world.tell()
            );
            self.run_for(world, 10);
        }
    }

    fn answer(&mut self, world: &mut World) {
        for inquiry in std::mem::take(&mut world.inquiries) {
            let now = world.now;
            let exchange = &mut world.switch.exchange;
            let (call, request) = (&inquiry.call, inquiry.request);
            match inquiry.subject {
                Subject::Document(fetch) => {
                    let supply = Supply::Document(self.page(&fetch));
                    self.asked.push(fetch);
                    exchange.supplied(now, call, request, &supply);
                }
                Subject::Sound(url) => {
                    let name = url.rsplit('/').next().unwrap_or_default();
                    let supply = Supply::Sound(Ok(name.to_owned()));
                    exchange.supplied(now, call, request, &supply);
                }
                Subject::Text(_) => {
                    let sound = "ja/menu".to_owned();
                    exchange.told(now, call, request, &Reply::Said { sound });
                }
                other => panic!("nobody asks {other:?} here"),
            }
        }
        world.collect();
    }

    fn page(&self, fetch: &Fetch) -> Fetched {
        let from = value(&fetch.form, "From").unwrap_or_default();
        let url = fetch.url.as_str();
        let path = url
            .strip_prefix("https://app.example")
            .expect("the application's");
        let mut pages = self.pages.iter();
        let page = pages.find(|(known, whose, _)| *known == path && from.contains(whose));
        match page {
            Some((_, _, body)) => Fetched::Reply {
                content_type: Some("text/xml".to_owned()),
                body: body.clone().into_bytes(),
                url: url.to_owned(),
            },
            None => Fetched::Failed {
                code: 11200,
                words: format!("no {path}"),
            },
        }
    }

    /// What a path was asked, in order.
    pub(crate) fn forms(&self, path: &str) -> Vec<&Form> {
        let asked = self.asked.iter().filter(|fetch| fetch.url.ends_with(path));
        asked.map(|fetch| &fetch.form).collect()
    }
}

/// Whether a peer hears the music, from wherever it is.
pub(crate) fn hears_music(world: &mut World, peer: usize) -> bool {
    let heard = hear(world, peer, 400);
    let music = spoken("music");
    heard.len() > 1600 && likeness(&heard[1200..1600], &music[..80_000]) > 0.95
}

/// One parameter.
pub(crate) fn value<'f>(form: &'f Form, name: &str) -> Option<&'f str> {
    let mut found = form.iter().filter(|(known, _)| known == name);
    found.next().map(|(_, value)| value.as_str())
}

/// Parameters of what the application was told, of notices that have this one.
pub(crate) fn told<'w>(world: &'w World, name: &str) -> Vec<&'w Form> {
    let form = |notice: &'w Notice| match &notice.content {
        Content::Form(form) => Some(form),
        _ => None,
    };
    let forms = world.notices.iter().filter_map(form);
    forms.filter(|form| value(form, name).is_some()).collect()
}
