//! `mail.toml`: the server that takes the switch's e-mail.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::environment::Environment;
use super::files::{Files, Kind};
use super::notes::Notes;
use super::secret;
use super::section::{At, Section};
use super::source::Place;
use super::tls::{self, SYSTEM_ROOTS};
use crate::mail::{Account, Address, Roots, Security, Server, Settings};

/// Mail as read.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) settings: Arc<Settings>,
    /// Whether a server is named, a good one or not.
    pub(super) has_server: bool,
    /// Whether all that was written could be read.
    pub(super) is_complete: bool,
}

/// Ports of submission (RFC 6409) and of submission over TLS (RFC 8314).
const SUBMISSION: u16 = 587;
const SUBMISSIONS: u16 = 465;

/// Reads the file, or none.
pub(super) fn read(
    files: &Files,
    (directory, environment): (&Path, &Environment),
    notes: &Notes,
) -> Mail {
    let mut settings = Settings::default();
    let mut first: Option<Place> = None;
    for file in files.of(Kind::Mail) {
        let top = Section::new(notes, &file.table, "mail.toml");
        if let Some(server) = top.text("server") {
            if first.is_some() {
                let message = "there are two mail servers";
                notes.error(&server.place, message, "delete one of them");
            }
            first = Some(server.place.clone());
            settings.server = read_server(&top, server, (directory, environment), notes);
        } else if !top.written().entries.is_empty() {
            top.demand("server", "\"smtp.example\"");
        }
        read_limits(&top, &mut settings, notes);
        top.close();
    }
    Mail {
        settings: Arc::new(settings),
        has_server: first.is_some(),
        is_complete: files.is_complete(Kind::Mail),
    }
}

fn read_limits(top: &Section<'_>, settings: &mut Settings, notes: &Notes) {
    let second = Duration::from_secs(1);
    let day = second * 86_400;
    let time = |key, range, default| top.duration(key, range).map_or(default, |at| at.value);
    settings.pause = time("pause", second..=second * 3600, settings.pause);
    settings.longest_pause = time(
        "longest_pause",
        second..=day,
        settings.longest_pause.max(settings.pause),
    );
    settings.give_up = time("give_up", second * 60..=day * 30, settings.give_up);
    if let Some(most) = top.integer("attach_megabytes", 1..=100) {
        settings.largest = u64::try_from(most.value).unwrap_or(1) << 20;
    }
    if let Some(base) = top.text("base_url") {
        let is_web = |url: &url::Url| matches!(url.scheme(), "http" | "https") && url.has_host();
        match url::Url::parse(&base.value) {
            Ok(url) if is_web(&url) && url.query().is_none() && url.fragment().is_none() => {
                settings.base_url = Some(base.value.trim_end_matches('/').to_owned());
            }
            _ => {
                let message = format!("\"{}\" is no address of a web server", base.value);
                notes.error(
                    &base.place,
                    message,
                    "write https://HOST or https://HOST/PATH",
                );
            }
        }
    }
}

fn read_server(
    top: &Section<'_>,
    host: At<String>,
    (directory, environment): (&Path, &Environment),
    notes: &Notes,
) -> Option<Server> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    let mut is_good = host.value.chars().all(is_host) && host.value.len() <= 253;
    if !is_good {
        let message = format!("\"{}\" is no name or address of a server", host.value);
        let help = "write it without protocol; the port has a key of its own";
        notes.error(&host.place, message, help);
    }
    let port = top.integer("port", 1..=65_535);
    let port = port.and_then(|at| u16::try_from(at.value).ok());
    let tls = top.one_of("tls", &Security::WORDS);
    let tls = tls.unwrap_or_else(|| At {
        value: match port {
            Some(SUBMISSIONS) => Security::Implicit,
            _ => Security::default(),
        },
        place: host.place.clone(),
    });
    let user = top.text("user");
    if user.is_some() {
        top.demand("password", "\"env:NAME\"");
    }
    let password = secret::read_key(top, "password", directory, environment, notes);
    if password.is_some() {
        top.demand("user", "\"NAME\"");
    }
    if let (Some(user), false) = (&user, tls.value.is_sure()) {
        let message = "a password would go in the clear, or could be made to";
        let help = "use tls = \"required\" or \"implicit\"";
        notes.error(&user.place, message, help);
        is_good = false;
    }
    top.demand("from", "\"Voicemail <voicemail@example.jp>\"");
    let from = read_address(top.text("from"), notes);
    let timeout = top.duration("timeout", Duration::from_secs(1)..=Duration::from_secs(600));
    let ca = top.text("ca");
    let pem = match &ca {
        Some(_) => tls::Files { directory, notes }.content(ca.as_ref()),
        // A system whose roots cannot be read believes nobody.
        None => std::fs::read(SYSTEM_ROOTS).unwrap_or_default(),
    };
    let roots = match (Roots::new(&pem), &ca) {
        (Ok(roots), _) => roots,
        (Err(error), Some(ca)) => {
            notes.error(&ca.place, error.to_string(), tls::ROOTS_HELP);
            return None;
        }
        (Err(_), None) => Roots::default(),
    };
    let account = match (user, password) {
        (Some(user), Some(password)) => Some(Account {
            user: user.value,
            password: password.value,
        }),
        (None, None) => None,
        // Told already.
        _ => return None,
    };
    let server = Server {
        host: host.value,
        port: port.unwrap_or(match tls.value {
            Security::Implicit => SUBMISSIONS,
            _ => SUBMISSION,
        }),
        tls: tls.value,
        account,
        from: from?,
        roots,
        timeout: timeout.map_or(Duration::from_secs(60), |at| at.value),
    };
    is_good.then_some(server)
}

/// An address that is written somewhere; what is none is told.
pub(super) fn read_address(written: Option<At<String>>, notes: &Notes) -> Option<Address> {
    let written = written?;
    let address: Result<Address, _> = written.value.parse();
    let told = |error: &crate::mail::AddressError| {
        let help = "write NAME@DOMAIN, or \"Words <NAME@DOMAIN>\"";
        notes.error(&written.place, error.to_string(), help);
    };
    address.inspect_err(told).ok()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use crate::config::{Environment, Office, load};
    use crate::mail::Security;

    const MAIL: &str = "server = \"smtp.example\"\nfrom = \"Voicemail <vm@example.jp>\"\n\
        user = \"pbx\"\npassword = \"env:SMTP_PASSWORD\"\nbase_url = \"https://pbx.example/\"\n";
    const MAILBOX: &str = "[[mailbox]]\nname = \"1010\"\nemail = [\"ann@example.jp\"]\n\
        attach = false\nlanguage = \"ja\"\nsubject = \"{{ who }}\"\n";

    fn read(folder: &Path, mail: &str, mailbox: &str) -> Result<Office, String> {
        let write = |name: &str, text: &str| {
            std::fs::write(folder.join(name), text).expect("written");
        };
        write("node.toml", "name = \"a\"\nregion = \"b\"\n");
        write("mail.toml", mail);
        write("voicemail.toml", mailbox);
        let sounds = concat!(env!("CARGO_MANIFEST_DIR"), "/sounds").to_owned();
        let all = [
            ("SMTP_PASSWORD", "tell nobody".to_owned()),
            ("TSUNAGU_SOUNDS", sounds),
        ];
        let environment = Environment::from_iter(all);
        load(folder, &environment).map_err(|report| report.to_string())
    }

    #[test]
    fn a_server_and_addresses_are_read() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let office = read(folder.path(), MAIL, MAILBOX).unwrap_or_else(|report| panic!("{report}"));
        let server = office.mail.server.as_ref().expect("a server");
        assert_eq!((server.port, server.tls), (587, Security::Required));
        assert_eq!(server.timeout, Duration::from_secs(60));
        assert_eq!(office.mail.base_url.as_deref(), Some("https://pbx.example"));
        assert!(!format!("{office:?}").contains("tell nobody"));
        let mail = office.voicemail.mailboxes["1010"].mail.as_ref();
        let mail = mail.expect("e-mail");
        assert_eq!(mail.to[0].plain(), "ann@example.jp");
        assert_eq!((mail.attach, mail.language.as_str()), (false, "ja"));
        let implicit = MAIL.replace("user =", "port = 465\nuser =");
        let office = read(folder.path(), &implicit, MAILBOX).expect("good");
        let tls = office.mail.server.as_ref().map(|server| server.tls);
        assert_eq!(tls, Some(Security::Implicit));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let cases = [
            (MAIL, "ann@example.jp", "ann", "is no e-mail address"),
            (
                MAIL,
                "ann@example.jp\"",
                "ann@example.jp\", \"ann@example.jp\"",
                "is there twice",
            ),
            (
                MAIL,
                "{{ who }}",
                "{{ whom }}",
                "there is no `whom` in a letter",
            ),
            (MAIL, "email = [\"ann@example.jp\"]\n", "", "goes to nobody"),
            ("", "ann", "ann", "no server to send e-mail by"),
        ];
        for (mail, old, new, told) in cases {
            let report = read(folder.path(), mail, &MAILBOX.replace(old, new));
            let report = report.expect_err(told);
            assert!(report.contains(told), "{told}: {report}");
            assert!(report.contains("voicemail.toml:"), "{report}");
        }
        let cases = [
            (
                "user =",
                "tls = \"opportunistic\"\nuser =",
                "go in the clear",
            ),
            (
                "Voicemail <vm@example.jp>",
                "Voicemail",
                "is no e-mail address",
            ),
            (
                "smtp.example",
                "smtp://smtp.example",
                "no name or address of a server",
            ),
            (
                "env:SMTP_PASSWORD",
                "secret",
                "cannot stand here in plain text",
            ),
            ("https://pbx.example/", "pbx", "no address of a web server"),
            ("user = \"pbx\"\n", "", "user"),
            (
                "base_url = \"https://pbx.example/\"",
                "",
                "nobody knows to where",
            ),
        ];
        for (old, new, told) in cases {
            let report = read(folder.path(), &MAIL.replace(old, new), MAILBOX);
            let report = report.expect_err(told);
            assert!(report.contains(told), "{told}: {report}");
            assert!(!report.contains("\"secret\""), "{report}");
        }
    }
}
