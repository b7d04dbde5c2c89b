//! Messages that are mailed: after a server was away, after a restart, never to who has no part in it.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{PATIENCE, Recorder, apart, as_it_is_read, becomes_a_pipe};
use crate::base::patience::until;
use crate::base::{Clock, Entropy, Timestamp};
use crate::mail::tests::server::{self, Manners, Seen};
use crate::mail::tests::server_at;
use crate::mail::{Server, Settings};
use crate::recording::Format;
use crate::voicemail::{
    Finished, Keeper, MailTerms, MailboxTerms, Post, PostTask, Shelf, VoicemailTerms,
};

struct Wall;

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = since.expect("after 1970").as_micros();
        Timestamp::from_micros(i64::try_from(micros).expect("before 294247"))
    }
}

/// A process with mailbox 1010, mailed to `to`.
struct Process {
    keeper: Keeper,
    post: Post,
    task: PostTask,
}

impl Process {
    fn start(folder: &Path, to: &[&str], settings: Settings) -> Self {
        let mut terms = VoicemailTerms::default();
        let addresses = to.iter().map(|to| to.parse().expect("an address"));
        let mailbox = MailboxTerms {
            number: "1010".to_owned(),
            pin: None,
            asks_own_phone: false,
            greeting: Vec::new(),
            mail: Some(MailTerms {
                to: addresses.collect(),
                attach: true,
                subject: None,
                text: None,
                language: "ja".to_owned(),
            }),
        };
        terms.mailboxes.insert("1010".to_owned(), mailbox);
        let shelf = Shelf::open(folder, Arc::new(terms)).expect("readable");
        let post = Post::new(Arc::new(settings));
        let told = post.clone();
        let keeper = Keeper::new(shelf, move |_, change| told.heard(&change));
        let task = post
            .start(keeper.clone(), Arc::new(Wall), Entropy::from_seed(3))
            .expect("a thread");
        Self { keeper, post, task }
    }

    fn leave(&self, recorder: &Recorder, id: &str) {
        let finished = Finished::of(&recorder.message(id, 150), false);
        self.keeper
            .with_shelf(Wall.now(), |shelf| drop(shelf.file(&finished)));
    }

    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        until(what, || is_so(self));
    }

    fn waiting(&self) -> usize {
        self.keeper
            .with_shelf(Wall.now(), |shelf| shelf.open_mail().len())
    }
}

fn settings(server: Server) -> Settings {
    Settings {
        server: Some(server),
        pause: Duration::from_millis(20),
        longest_pause: Duration::from_millis(40),
        // The messages here are of another day.
        give_up: Duration::from_secs(100 * 365 * 86_400),
        ..Settings::default()
    }
}

fn recorder(folder: &Path, to: &[&str]) -> Recorder {
    Recorder {
        email: to.iter().map(|to| (*to).to_owned()).collect(),
        ..Recorder::new(folder, Format::Wav)
    }
}

/// A mail server on threads of its own.
fn serve(manners: Manners) -> (tokio::runtime::Runtime, u16, Seen) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let (port, seen) = runtime.block_on(server::start(manners));
    (runtime, port, seen)
}

#[test]
fn what_waits_for_a_server_goes_after_a_restart_once_to_each() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = ["ann@x.test", "bob@x.test"];
    let recorder = recorder(folder.path(), &to);
    // Nobody listens at port 1.
    let process = Process::start(folder.path(), &to, settings(server_at(1)));
    process.leave(&recorder, "a");
    process.leave(&recorder, "b");
    process.until("away", |it| it.post.figures().is_away);
    assert_eq!((process.waiting(), process.post.figures().waiting), (4, 4));
    process.task.stop();

    let (_runtime, port, seen) = serve(Manners::Good);
    let process = Process::start(folder.path(), &to, settings(server_at(port)));
    process.until("sent", |it| it.waiting() == 0);
    process.leave(&recorder, "c");
    process.until("sent", |it| it.post.figures().sent == 6);
    process.task.stop();
    let process = Process::start(folder.path(), &to, settings(server_at(port)));
    process.leave(&recorder, "d");
    process.until("sent", |it| it.post.figures().sent == 2);
    process.task.stop();
    let letters = seen.now().letters;
    assert_eq!(letters.len(), 8);
    for id in ["a", "b", "c", "d"] {
        let of = letters.iter();
        let of = of.filter(|text| text.contains(&format!("Message-ID: <{id}.1010@pbx.test>")));
        assert_eq!(of.count(), 2, "{id}");
    }
    assert!(letters.iter().all(|text| text.contains("audio/wav")));
}

#[test]
fn a_letter_that_is_refused_is_listed_and_goes_when_somebody_wants_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = recorder(folder.path(), &["ann@x.test"]);
    let (_bad, port, _) = serve(Manners::Says("RCPT", "550 5.1.1 no such user"));
    let process = Process::start(folder.path(), &["ann@x.test"], settings(server_at(port)));
    process.leave(&recorder, "a");
    let dead = |it: &Process| it.keeper.with_shelf(Wall.now(), |shelf| shelf.dead_mail());
    process.until("dead", |it| !dead(it).is_empty());
    let letter = dead(&process).remove(0);
    assert!(letter.words.contains("no such user"), "{letter:?}");
    assert_eq!((letter.tries, process.waiting()), (1, 0));

    let (_good, port, seen) = serve(Manners::Good);
    process.post.set(Arc::new(settings(server_at(port))));
    let id = letter.key.id();
    let again = |id: &str| {
        let now = Wall.now();
        let (keeper, post) = (&process.keeper, &process.post);
        keeper.with_shelf(now, |shelf| post.replay(now, shelf, id))
    };
    assert!(!again("mail-none").expect("read"));
    assert!(again(&id).expect("written"));
    process.until("sent", |it| it.post.figures().sent == 1);
    process.until("written", |it| it.waiting() == 0);
    assert!(dead(&process).is_empty());
    assert_eq!(seen.now().letters.len(), 1);
    process.task.stop();
}

#[test]
fn an_address_taken_back_and_a_message_deleted_get_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let recorder = recorder(folder.path(), &["ann@x.test", "gone@x.test"]);
    let here = ["ann@x.test"];
    let process = Process::start(folder.path(), &here, settings(server_at(1)));
    process.leave(&recorder, "a");
    process.leave(&recorder, "b");
    process.keeper.with_shelf(Wall.now(), |shelf| {
        assert!(shelf.delete("1010", "a").expect("deleted"));
    });
    let (_runtime, port, seen) = serve(Manners::Good);
    process.post.set(Arc::new(settings(server_at(port))));
    process.until("sent", |it| it.post.figures().sent == 1);
    process.until("nothing waits", |it| it.post.figures().waiting == 0);
    process.task.stop();
    let played = seen.now();
    assert_eq!(played.letters.len(), 1);
    assert!(played.letters[0].contains("<b.1010@pbx.test>"));
    assert!(!played.commands.iter().any(|it| it.contains("gone@")));
}

#[test]
fn nobody_waits_while_a_message_is_enclosed_and_one_deleted_meanwhile_is_not_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let to = ["ann@x.test"];
    let recorder = recorder(folder.path(), &to);
    let process = Process::start(folder.path(), &to, Settings::default());
    let finished = Finished::of(&recorder.message("a", 150), false);
    process
        .keeper
        .with_shelf(Wall.now(), |shelf| drop(shelf.file(&finished)));
    let octets = becomes_a_pipe(&finished.path);
    let (_runtime, port, seen) = serve(Manners::Good);
    process.post.set(Arc::new(settings(server_at(port))));
    let mut pipe = as_it_is_read(&finished.path);
    let keeper = process.keeper.clone();
    let deleted =
        apart(move || keeper.with_shelf(Wall.now(), |shelf| shelf.delete("1010", "a").ok()));
    let deleted = deleted.recv_timeout(PATIENCE).expect("while it is read");
    assert_eq!(deleted, Some(true));
    pipe.write_all(&octets).expect("read");
    drop(pipe);
    process.until("nothing waits", |it| it.post.figures().waiting == 0);
    process.task.stop();
    assert_eq!(seen.now().letters.len(), 0);
}
