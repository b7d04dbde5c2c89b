//! The journal on a real disk, through clean and unclean ends.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::*;
use crate::base::patience;
use crate::journal::FactClass;
use rusqlite::Connection;

fn journal(dir: &Path) -> SqliteJournal {
    SqliteJournal::open(&dir.join("journal.db")).unwrap()
}

fn entry(shard: u16, sequence: u64) -> Entry {
    Entry {
        shard,
        sequence,
        at: Timestamp::from_millis(1_795_136_523_456 + sequence as i64),
        class: FactClass::Decision,
        format: 1,
        body: format!("{{\"fact\":\"offered\",\"agent\":\"花子\",\"n\":{sequence}}}"),
    }
}

#[test]
fn reads_back_in_order_after_a_clean_close() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = journal(dir.path());
    open.append(&[entry(0, 1), entry(1, 1), entry(0, 2)])
        .unwrap();
    open.append(&[entry(0, 3)]).unwrap();
    drop(open);
    let mut open = journal(dir.path());
    let all = open.read_from(0, 1, 100).unwrap();
    assert_eq!(all, [entry(0, 1), entry(0, 2), entry(0, 3)]);
    assert_eq!(open.read_from(0, 2, 1).unwrap(), [entry(0, 2)]);
    assert_eq!(open.read_from(1, 2, 9).unwrap(), []);
    assert_eq!(open.latest_time(0).unwrap(), Some(entry(0, 3).at));
    open.append(&[entry(0, 4)]).unwrap();
}

#[test]
fn entries_follow_each_other_or_nothing_is_appended() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = journal(dir.path());
    let error = open.append(&[entry(0, 1), entry(0, 3)]).unwrap_err();
    assert!(matches!(
        error,
        journal::Error::OutOfOrder {
            expected: 2,
            found: 3,
            ..
        }
    ));
    assert_eq!(open.read_from(0, 1, 9).unwrap(), []);
    open.append(&[entry(0, 1)]).unwrap();
}

#[test]
fn a_trimmed_journal_goes_on_after_its_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = journal(dir.path());
    let entries: Vec<_> = (1..=10).map(|n| entry(5, n)).collect();
    open.append(&entries).unwrap();
    let snapshot = |sequence| Snapshot {
        shard: 5,
        sequence,
        at: entry(5, sequence).at,
        format: 1,
        body: "{}".into(),
    };
    open.save_snapshot(&snapshot(4)).unwrap();
    open.save_snapshot(&snapshot(10)).unwrap();
    open.trim(5, 11).unwrap();
    assert_eq!(open.read_from(5, 1, 9).unwrap(), []);
    drop(open);
    let mut open = journal(dir.path());
    assert_eq!(open.latest_snapshot(5).unwrap(), Some(snapshot(10)));
    assert_eq!(open.latest_snapshot(6).unwrap(), None);
    open.trim(5, 11).unwrap();
    assert!(open.append(&[entry(5, 1)]).is_err());
    open.append(&[entry(5, 11)]).unwrap();
    drop(open);
    assert_eq!(
        journal(dir.path()).read_from(5, 1, 9).unwrap(),
        [entry(5, 11)]
    );
}

#[test]
fn who_reads_for_long_does_not_hold_up_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let mut open = journal(dir.path());
    open.append(&[entry(0, 1)]).unwrap();
    let reader = database::reader(&path).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    let count = |reader: &Connection| -> i64 {
        let count = reader.query_row("SELECT count(*) FROM facts", [], |row| row.get(0));
        count.unwrap()
    };
    assert_eq!(count(&reader), 1);
    open.append(&[entry(0, 2)]).unwrap();
    let begin = Instant::now();
    for _ in 0..10 {
        // Each would wait for all the patience SQLite was given.
        open.start_log_over();
    }
    assert!(begin.elapsed() < 5 * database::PATIENCE);
    assert_eq!(count(&reader), 1, "the reader keeps what he saw");
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count(&reader), 2);
    open.start_log_over();
    let log = path.with_extension("db-wal");
    let length = fs::metadata(&log).unwrap().len();
    open.append(&[entry(0, 3)]).unwrap();
    assert_eq!(fs::metadata(&log).unwrap().len(), length, "started over");
    assert_eq!(count(&reader), 3);
}

#[test]
fn a_journal_is_read_while_it_is_written_and_after() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let mut open = journal(dir.path());
    open.append(&[entry(0, 1), entry(0, 2)]).unwrap();
    let mut past = PastJournal::open(&path).unwrap();
    assert_eq!(past.read_from(0, 1, 9).unwrap().len(), 2);
    open.append(&[entry(0, 3)]).unwrap();
    for sequence in [1, 3] {
        let snapshot = Snapshot {
            shard: 0,
            sequence,
            at: entry(0, sequence).at,
            format: 1,
            body: sequence.to_string(),
        };
        open.save_snapshot(&snapshot).unwrap();
    }
    assert_eq!(past.read_from(0, 3, 9).unwrap(), [entry(0, 3)]);
    assert_eq!(past.snapshot_at(0, 2).unwrap().unwrap().body, "1");
    assert_eq!(past.latest_snapshot(0).unwrap().unwrap().body, "3");
    open.forget_snapshot(0, 1).unwrap();
    assert_eq!(past.snapshots(0).unwrap().len(), 1);
    drop((past, open));
    let mut past = PastJournal::open(&path).unwrap();
    assert_eq!(past.sequence_at(0, entry(0, 2).at).unwrap(), 2);
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "no file was made"
    );
    let missing = PastJournal::open(&dir.path().join("no.db")).unwrap_err();
    assert!(missing.to_string().contains("no.db"), "{missing}");
}

#[test]
fn a_journal_of_the_first_layout_is_read_and_brought_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let first = Layout {
        migrations: &LAYOUT.migrations[..1],
        ..LAYOUT
    };
    let old = database::open(&path, &first, "NORMAL").unwrap();
    old.execute_batch(
        "INSERT INTO facts VALUES (0, 1, 5, 'input', '{}');
         INSERT INTO snapshots VALUES (0, 1, 5, '{}')",
    )
    .unwrap();
    drop(old);
    let read = |reader: &mut dyn Reader| {
        let entries = reader.read_from(0, 1, 9).unwrap();
        let snapshot = reader.latest_snapshot(0).unwrap().unwrap();
        (entries[0].format, snapshot.format)
    };
    assert_eq!(read(&mut PastJournal::open(&path).unwrap()), (1, 1));
    assert_eq!(read(&mut journal(dir.path())), (1, 1));
    assert_eq!(read(&mut PastJournal::open(&path).unwrap()), (1, 1));

    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let error = PastJournal::open(&path).unwrap_err().to_string();
    assert!(error.contains("newer tsunagu (schema 99"), "{error}");
}

#[test]
fn a_long_trim_goes_away_with_later_appends() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = journal(dir.path());
    let entries: Vec<_> = (1..=1000).map(|n| entry(0, n)).collect();
    open.append(&entries).unwrap();
    open.trim(0, 901).unwrap();
    for n in 1001..=1020 {
        open.append(&[entry(0, n)]).unwrap();
    }
    assert_eq!(open.first(0).unwrap(), Some(901));
    assert!(open.trims.is_empty());
    assert_eq!(open.read_from(0, 1, 1).unwrap(), [entry(0, 901)]);
}

#[test]
fn what_is_written_is_synced_by_itself_and_in_groups() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = journal(dir.path());
    let progress = open.progress();
    for n in 1..=200 {
        open.append(&[entry(0, n)]).unwrap();
    }
    open.sync().unwrap();
    assert_eq!((progress.written(), progress.synced()), (200, 200));
    assert!(progress.syncs() < 200, "{}", progress.syncs());
    open.append(&[entry(0, 201)]).unwrap();
    patience::until("somebody syncs", || progress.synced() == 201);
}

#[test]
fn the_log_does_not_grow_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = journal(dir.path());
    let mut fat = entry(0, 0);
    fat.body = "x".repeat(100_000);
    for n in 1..=800 {
        fat.sequence = n;
        open.append(std::slice::from_ref(&fat)).unwrap();
        if n % 20 == 0 {
            open.sync().unwrap();
        }
    }
    let log = fs::metadata(dir.path().join("journal.db-wal")).unwrap();
    assert!(log.len() < 64 << 20, "{} bytes", log.len());
    assert_eq!(open.read_from(0, 800, 9).unwrap().len(), 1);
}

#[test]
fn a_gap_and_a_damaged_file_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let mut open = journal(dir.path());
    let entries: Vec<_> = (1..=500).map(|n| entry(0, n)).collect();
    open.append(&entries).unwrap();
    drop(open);
    let whole = fs::read(&path).unwrap();

    let knife = Connection::open(&path).unwrap();
    knife
        .execute("DELETE FROM facts WHERE sequence BETWEEN 7 AND 9", [])
        .unwrap();
    drop(knife);
    let error = journal(dir.path()).read_from(0, 1, 100).unwrap_err();
    assert_eq!(error.to_string(), "entries 7 to 9 of shard 0 are missing");

    fs::write(&path, &whole[..whole.len() - 4096 * 3]).unwrap();
    let error = SqliteJournal::open(&path).unwrap_err().to_string();
    assert!(error.contains("is damaged"), "{error}");
}

/// Runs this test binary once more as a process that appends until it is killed.
#[test]
fn every_append_that_returned_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--ignored", "--nocapture"])
        .arg("store::journal::tests::appends_until_it_is_killed")
        .env(CHILD, dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let written = |line: std::io::Result<String>| -> Option<u64> {
        let line = line.unwrap_or_default();
        line.strip_prefix("written ").and_then(|n| n.parse().ok())
    };
    let mut last = 0;
    while last < 300 {
        let line = lines.next().expect("the child writes until it is killed");
        last = written(line).unwrap_or(last);
    }
    child.kill().unwrap();
    child.wait().unwrap();
    last = lines.filter_map(written).max().unwrap_or(last).max(last);

    let mut open = journal(dir.path());
    let kept = open.read_from(0, 1, 1_000_000).unwrap();
    assert!(kept.len() as u64 >= last, "{} of {last}", kept.len());
    for (index, one) in kept.iter().enumerate() {
        assert_eq!(*one, entry(0, index as u64 + 1));
    }
}

const CHILD: &str = "TSUNAGU_TEST_JOURNAL_CHILD";

#[test]
#[ignore = "the child of every_append_that_returned_survives_kill_9"]
fn appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let mut open = journal(Path::new(&dir));
    for n in 1.. {
        open.append(&[entry(0, n)]).unwrap();
        println!("written {n}");
    }
}

#[test]
fn events_are_written_with_their_facts_and_forgotten_with_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut open = journal(dir.path());
    let event = |sequence: u64, fact: u64| EventEntry {
        shard: 0,
        sequence,
        fact,
        worker: sequence.is_multiple_of(2).then(|| "花子".to_owned()),
        body: format!("{{\"sequence\":{sequence}}}"),
    };
    let mut number = 0;
    for fact in 1..=1000 {
        // Two events of each fact, and none of every third.
        let mut events = Vec::new();
        if fact % 3 > 0 {
            events = vec![event(number + 1, fact), event(number + 2, fact)];
            number += 2;
        }
        open.append_with(&[entry(0, fact)], &events).unwrap();
    }
    let refused = open.append_with(&[entry(0, 1)], &[event(number + 1, 1)]);
    assert!(refused.is_err());
    drop(open);
    let mut open = journal(dir.path());
    let all = open.events_from(0, 1, usize::MAX).unwrap();
    assert_eq!(all.len() as u64, number, "all or none");
    assert_eq!(all[1], event(2, 1));
    assert_eq!(
        open.events_from(0, number, 9).unwrap(),
        [event(number, 1000)]
    );
    let mut beside = PastJournal::open(&dir.path().join("journal.db")).unwrap();
    assert_eq!(beside.events_from(0, 1, 2).unwrap(), all[..2]);

    open.trim(0, 500).unwrap();
    let first = open.events_from(0, 1, 1).unwrap().remove(0);
    assert_eq!(first.fact, 500);
    for fact in 1001..=1010 {
        open.append_with(&[entry(0, fact)], &[]).unwrap();
    }
    drop(open);
    let mut open = journal(dir.path());
    assert_eq!(
        open.events_from(0, 1, 1).unwrap(),
        [first],
        "the others are gone"
    );
}
