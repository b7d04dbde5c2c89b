//! The house keeps its own rules: imports go downwards, files say what they are, nothing is left
//! unfinished, and nothing knows the machine it was written on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the bench counts is proved here: a bench has no tests of its own.
#[path = "../benches/bench/answers.rs"]
mod answers;

/// Rooms from the ground up. A room imports from itself and from the rows below its own.
///
/// The tiers of the architecture, with three of them split where one room stands on the other:
/// events speak of what base names, documents use the terms of flows, and the command line starts
/// the application.
const TIERS: [&[&str]; 11] = [
    &["base"],
    &["events"],
    &["sip", "sdp", "media", "expr", "calendar", "journal"],
    &[
        "router",
        "ivr",
        "mail",
        "speech",
        "conference",
        "recording",
        "registrar",
        "presence",
        "trunk",
        "webhook",
    ],
    &["waiting", "flow", "replay", "voicemail"],
    &["twiml"],
    &["call"],
    &["store", "cluster", "http", "config"],
    &["runtime"],
    &["app"],
    &["cli"],
];

/// The system's clock, signals and logs serve every program: they know nothing of telephony.
const RUNTIME_KNOWS: [&str; 2] = ["base", "runtime"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 9] = [
    "util", "utils", "common", "helper", "helpers", "manager", "misc", "handler", "handlers",
];

#[test]
fn imports_go_downwards() {
    let mut wrong = Vec::new();
    for file in rust_files("src") {
        let room = room_of(&file);
        if room == "main" || room == "lib" {
            continue;
        }
        let text = read(&file);
        let Some(own) = tier(&room) else {
            wrong.push(format!("{}: the room {room} is in no tier", file.display()));
            continue;
        };
        for (line, target) in imports(&text, depth(&file)) {
            let allowed = target == room
                || match room.as_str() {
                    "runtime" => RUNTIME_KNOWS.contains(&target.as_str()),
                    _ => tier(&target).is_some_and(|other| other < own),
                };
            if !allowed {
                wrong.push(format!(
                    "{}:{line}: {room} imports {target}",
                    file.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_bench_counts_a_key_that_nothing_ever_follows_once() {
    let begin = std::time::Instant::now();
    let at = |millis| begin + std::time::Duration::from_millis(millis);
    let mut heard = answers::Answers::default();
    heard.hear(1, at(0));
    for who in 1..=4 {
        heard.press(who, at(0));
    }
    heard.hear(1, at(20));
    heard.hear(2, at(1001));
    heard.hear(2, at(1100));
    heard.press(3, at(2000));
    heard.close();
    heard.close();
    assert_eq!(heard.took, [20_000_000, 1_001_000_000]);
    assert_eq!(heard.lost, 4, "2 late, 3 twice, 4 never");
}

#[test]
fn every_file_opens_by_saying_what_it_is() {
    let silent: Vec<PathBuf> = ["src", "tests", "benches", "fuzz/fuzz_targets"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|file| !read(file).starts_with("//! "))
        .collect();
    assert!(silent.is_empty(), "no //! at the top of {silent:#?}");
}

#[test]
fn file_names_are_nouns_of_the_trade() {
    let empty: Vec<PathBuf> = ["src", "tests", "benches"]
        .into_iter()
        .flat_map(rust_files)
        .filter(|file| {
            let parts = file
                .components()
                .map(|part| part.as_os_str().to_string_lossy());
            parts.into_iter().any(|part| {
                let name = part.trim_end_matches(".rs");
                EMPTY_NAMES.contains(&name)
            })
        })
        .collect();
    assert!(empty.is_empty(), "{empty:#?}");
}

#[test]
fn nothing_is_left_unfinished() {
    // Written in pieces, so that this file does not find itself.
    let marks = [
        concat!("tod", "o!("),
        concat!("unimpl", "emented!("),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
        concat!("dbg", "!("),
        concat!("#[ign", "ore"),
    ];
    // A test that another one starts as a process of its own, to be killed, does run.
    let started_by_another = concat!("#[ign", "ore = \"the child of ");
    let found = lines_with(&["src", "tests", "benches"], |line| {
        marks.iter().any(|mark| line.contains(mark)) && !line.contains(started_by_another)
    });
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn nothing_in_src_unwraps_outside_its_tests() {
    let mut found = Vec::new();
    let tests = test_modules();
    for file in rust_files("src") {
        if tests
            .iter()
            .any(|module| file.starts_with(module) || file == *module)
        {
            continue;
        }
        for (number, line) in read(&file).lines().enumerate() {
            if line.trim_start().starts_with("#[cfg(test)]") {
                break;
            }
            if line.contains(".unwrap()") && !is_comment(line) {
                found.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
        concat!("/tmp/ba", "sh_jobs"),
    ];
    let mut found = Vec::new();
    for file in tracked_files() {
        // Sounds and other octets are nobody's text.
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else {
            continue;
        };
        for (number, line) in text.lines().enumerate() {
            if places.iter().any(|place| line.contains(place)) {
                found.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

/// A prompt that the switch can say is in both lists, and in both folders.
#[test]
fn every_prompt_in_the_code_is_there_in_both_languages() {
    let lists = ["en", "ja"].map(|language| (language, prompts(language)));
    let family = |name: &str| name.split_once('-').map(|(family, _)| family.to_owned());
    let all = || lists.iter().flat_map(|(_, names)| names);
    let families: BTreeSet<String> = all().filter_map(|name| family(name)).collect();
    let speaking = [
        "src/call/desk",
        "src/waiting",
        "src/call/feature",
        "src/config",
        "src/voicemail",
    ];
    let mut named = BTreeSet::from(["music", "beep"].map(str::to_owned));
    for file in speaking.iter().flat_map(|folder| rust_files(folder)) {
        if file.to_string_lossy().contains("tests") {
            continue;
        }
        let text = read(&file);
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for literal in code.split('"').skip(1).step_by(2) {
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let fixed = literal.split('{').next().unwrap_or_default();
            let is_known = family(literal).is_some_and(|family| families.contains(&family));
            if is_known && fixed.chars().all(is_name) {
                named.insert(fixed.to_owned());
            }
        }
    }
    assert!(named.len() > 20, "{named:?}");
    for (language, names) in &lists {
        for name in &named {
            let of_no_language = root().join(format!("sounds/{name}.flac")).exists();
            let is_there = match name.ends_with('-') {
                // What follows is filled in.
                true => names.iter().any(|known| known.starts_with(&**name)),
                false => names.contains(name),
            };
            assert!(of_no_language || is_there, "{language} has no {name}");
        }
        for name in names {
            let file = format!("sounds/{language}/{name}.flac");
            assert!(root().join(&file).exists(), "{file}");
        }
    }
}

/// Names in a language's list of prompts.
fn prompts(language: &str) -> BTreeSet<String> {
    let text = read(Path::new(&format!("sounds/{language}.toml")));
    let names = text.lines().filter(|line| !line.starts_with('#'));
    let names = names.filter_map(|line| line.split_once(" = "));
    names.map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn the_tour_in_lib_names_every_room() {
    let tour = read(Path::new("src/lib.rs"));
    let rooms: BTreeSet<String> = rust_files("src").iter().map(|file| room_of(file)).collect();
    let missing: Vec<&String> = rooms
        .iter()
        .filter(|room| *room != "main" && *room != "lib")
        .filter(|room| !tour.contains(&format!("[`{room}`]")))
        .collect();
    assert!(
        missing.is_empty(),
        "src/lib.rs does not mention {missing:?}"
    );
}

#[test]
fn every_page_of_docs_is_in_the_index_and_no_other() {
    let index = read(Path::new("docs/README.md"));
    let entries = std::fs::read_dir(root().join("docs")).expect("docs");
    let pages: BTreeSet<String> = entries
        .map(|entry| {
            entry
                .expect("a readable folder")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .filter(|name| name != "README.md")
        .collect();
    let linked: BTreeSet<String> = index
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .filter(|target| !target.contains('/'))
        .map(str::to_owned)
        .collect();
    assert_eq!(pages, linked, "docs/ on the left, its index on the right");
}

/// Files and folders of modules that are compiled for tests alone.
fn test_modules() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in rust_files("src") {
        let folder = match file.ends_with("mod.rs") || file.ends_with("lib.rs") {
            true => file.with_file_name(""),
            false => file.with_extension(""),
        };
        let text = read(&file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            let name = pair[1]
                .split("mod ")
                .nth(1)
                .and_then(|rest| rest.strip_suffix(';'));
            if let Some(name) = name {
                found.push(folder.join(format!("{name}.rs")));
                found.push(folder.join(name));
            }
        }
    }
    found
}

/// Rooms that `text` reaches for, with line numbers: `crate::room`, `crate::{room, ..}` and as
/// many `super::` as lead out of the room.
fn imports(text: &str, depth: usize) -> Vec<(usize, String)> {
    let code: String = text
        .lines()
        .map(|line| {
            if is_comment(line) {
                "\n".to_owned()
            } else {
                format!("{line}\n")
            }
        })
        .collect();
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '$') {
            continue;
        }
        let line = code[..at].matches('\n').count() + 1;
        found.extend(heads(&code[at + "crate::".len()..]).map(|head| (line, head)));
    }
    let outwards = "super::".repeat(depth);
    for (at, _) in code.match_indices(&outwards) {
        let line = code[..at].matches('\n').count() + 1;
        let rest = code[at..].trim_start_matches("super::");
        // Only names of rooms: deeper modules of the same room look alike.
        found.extend(
            heads(rest)
                .filter(|head| tier(head).is_some())
                .map(|head| (line, head)),
        );
    }
    found
}

/// The first names of a path: one, or those of a braced list.
fn heads(path: &str) -> impl Iterator<Item = String> {
    let mut names = Vec::new();
    if let Some(list) = path.strip_prefix('{') {
        let mut level = 0;
        let mut name = String::new();
        for c in list.chars() {
            match c {
                '{' => level += 1,
                '}' if level == 0 => break,
                '}' => level -= 1,
                ',' if level == 0 => names.push(std::mem::take(&mut name)),
                _ if level == 0 => name.push(c),
                _ => {}
            }
        }
        names.push(name);
    } else {
        names.push(path.to_owned());
    }
    names.into_iter().filter_map(|name| {
        let name = name.trim_start();
        let end = name
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(name.len());
        (end > 0).then(|| name[..end].to_owned())
    })
}

fn tier(room: &str) -> Option<usize> {
    TIERS.iter().position(|rooms| rooms.contains(&room))
}

/// `src/sip/auth/nonce.rs` and `src/sip.rs` are in the room `sip`.
fn room_of(file: &Path) -> String {
    let mut parts = file.components().skip(1);
    let first = parts
        .next()
        .expect("below src")
        .as_os_str()
        .to_string_lossy();
    first.trim_end_matches(".rs").to_owned()
}

/// How many `super` lead from the file to the crate.
fn depth(file: &Path) -> usize {
    let parts = file.components().count() - 1;
    if file.ends_with("mod.rs") {
        parts - 1
    } else {
        parts
    }
}

fn lines_with(folders: &[&str], wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for file in folders.iter().flat_map(|folder| rust_files(folder)) {
        for (number, line) in read(&file).lines().enumerate() {
            if wrong(line) {
                found.push(format!(
                    "{}:{}: {}",
                    file.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    found
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// Rust files below a folder of the repository, by relative path.
fn rust_files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder))
            .into_iter()
            .flatten()
        {
            let entry = entry.expect("a readable folder");
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// What git keeps; in an unpacked archive without git, everything that is not built.
fn tracked_files() -> Vec<PathBuf> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(root())
        .output();
    match listed {
        Ok(output) if output.status.success() => output
            .stdout
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| PathBuf::from(String::from_utf8_lossy(name).into_owned()))
            .collect(),
        _ => ["src", "tests", "benches"]
            .into_iter()
            .flat_map(rust_files)
            .collect(),
    }
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(root().join(file))
        .unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_found_in_every_form() {
        let text = "use crate::base::X;\nuse crate::{sip::{A, B}, media};\n// crate::call\n\
                    fn f() { crate::journal::g(); }\nuse super::super::store::S;\n";
        let found: Vec<String> = imports(text, 2).into_iter().map(|(_, room)| room).collect();
        assert_eq!(found, ["base", "sip", "media", "journal", "store"]);
        assert_eq!(imports(text, 2)[3].0, 4);
        assert!(imports("use super::store::S;", 2).is_empty());
    }

    #[test]
    fn files_are_in_their_rooms() {
        assert_eq!(room_of(Path::new("src/sip/auth/nonce.rs")), "sip");
        assert_eq!(room_of(Path::new("src/app.rs")), "app");
        assert_eq!(depth(Path::new("src/sip/mod.rs")), 1);
        assert_eq!(depth(Path::new("src/sip/auth/nonce.rs")), 3);
        assert_eq!(depth(Path::new("src/sip/auth/mod.rs")), 2);
    }
}
