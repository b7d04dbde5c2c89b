//! `webhooks.toml`: the user's web applications, and how they are spoken to.

use std::collections::HashMap;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::environment::Environment;
use super::files::{Files, Kind};
use super::names::Names;
use super::notes::Notes;
use super::secret;
use super::section::{At, Section};
use super::source::Place;
use super::tls::{self, SYSTEM_ROOTS};
use super::words::remedy;
use crate::base::Network;
use crate::twiml::{Sid, SidKind};
use crate::webhook::{
    Account, AddressRule, BreakerTerms, Endpoint, Limits, Method, NoticeTerms, RetryOn, Settings,
    SignatureMode, SigningSecret, Target, Terms, TlsClient, TlsTextError, TlsTexts,
};

struct Reader<'a> {
    directory: &'a Path,
    environment: &'a Environment,
    notes: &'a Notes,
    /// Networks that every endpoint may be in.
    networks: Vec<Network>,
    /// Believes the roots of the system.
    tls: Arc<TlsClient>,
}

/// Reads all files of endpoints. With the settings come the endpoints' names, for who refers to
/// them.
pub(super) fn read(
    directory: &Path,
    files: &Files,
    environment: &Environment,
    notes: &Notes,
) -> (Settings, Names) {
    let mut reader = Reader {
        directory,
        environment,
        notes,
        networks: Vec::new(),
        tls: Arc::default(),
    };
    let mut names = Names::new("endpoint", files.is_complete(Kind::Webhooks));
    let mut settings = Settings::default();
    let mut urls_at: Option<Place> = None;
    let written = files.of(Kind::Webhooks);
    reader.tls = reader.system_tls();
    let tops: Vec<Section<'_>> = written
        .iter()
        .map(|file| Section::new(notes, &file.table, "webhooks.toml"))
        .collect();
    // What holds for all is known before the first endpoint is read, whatever file it is in.
    for top in &tops {
        let networks = networks(top, notes);
        reader.networks.extend(networks);
        read_limits(top, &mut settings.limits);
        if let Some(section) = top.section("notices", "[notices]") {
            settings.notices = read_notices(section);
        }
    }
    settings.account = reader.read_account(&tops);
    let token = settings.account.as_ref().map(|account| &account.token);
    let usual = Terms {
        secret: token.cloned(),
        ..Terms::default()
    };
    let mut urls = Terms {
        tls: reader.tls.clone(),
        addresses: AddressRule::new(reader.networks.clone()),
        ..usual.clone()
    };
    let mut endpoints = HashMap::new();
    for top in tops {
        if let Some(section) = top.section("urls", "[urls]") {
            if urls_at.replace(section.place().clone()).is_some() {
                let message = "there are two [urls] sections";
                notes.error(section.place(), message, "delete one of them");
            }
            urls = reader.read_terms(&section, usual.clone());
            section.close();
        }
        for section in top.sections("endpoint", "an endpoint") {
            if let Some(endpoint) = reader.read_endpoint(section, &mut names) {
                endpoints.insert(endpoint.name.clone(), Arc::new(endpoint));
            }
        }
        top.close();
    }
    settings.urls = Arc::new(urls);
    settings.endpoints = endpoints;
    (settings, names)
}

fn read_limits(top: &Section<'_>, limits: &mut Limits) {
    if let Some(requests) = whole(top, "requests", 1..=10_000) {
        limits.requests = requests;
    }
    if let Some(kilobytes) = whole(top, "cache_kilobytes", 0..=1 << 20) {
        limits.cache = kilobytes << 10;
    }
}

fn read_notices(section: Section<'_>) -> NoticeTerms {
    let mut terms = NoticeTerms::default();
    if let Some(tries) = section.integer("tries", 1..=20) {
        terms.tries = u32::try_from(tries.value).unwrap_or(terms.tries);
    }
    let pauses = Duration::from_millis(100)..=Duration::from_secs(600);
    terms.pause = section
        .duration("pause", pauses)
        .map_or(terms.pause, |at| at.value);
    terms.waiting = whole(&section, "waiting", 1..=1_000_000).unwrap_or(terms.waiting);
    terms.keep = whole(&section, "keep", 0..=1_000_000).unwrap_or(terms.keep);
    let ages = Duration::from_secs(60)..=Duration::from_secs(366 * 86_400);
    terms.keep_for = section
        .duration("keep_for", ages)
        .map_or(terms.keep_for, |at| at.value);
    section.close();
    terms
}

impl Reader<'_> {
    /// The account of all files: there is one at the most.
    fn read_account(&self, tops: &[Section<'_>]) -> Option<Account> {
        let mut account: Option<(Place, Option<Account>)> = None;
        for top in tops {
            let Some(section) = top.section("account", "[account]") else {
                continue;
            };
            let place = section.place().clone();
            let read = self.read_one_account(section);
            if account.is_some() {
                let message = "there are two [account] sections";
                self.notes.error(&place, message, "delete one of them");
            }
            account = Some((place, read));
        }
        account.and_then(|(_, account)| account)
    }

    fn read_one_account(&self, section: Section<'_>) -> Option<Account> {
        const HELP: &str = "two letters AC and 32 digits of 0-9a-f, such as those that \
                            `echo AC$(openssl rand -hex 16)` prints";
        let sid = section.required("sid", "AC0123456789abcdef0123456789abcdef");
        section.demand("token", "\"env:TWILIO_AUTH_TOKEN\"");
        let (directory, environment) = (self.directory, self.environment);
        let token = secret::read_key(&section, "token", directory, environment, self.notes);
        section.close();
        let sid = sid.filter(|sid| {
            let good = Sid::from_str(&sid.value).is_ok_and(|sid| sid.is(SidKind::Account));
            if !good {
                let message = format!("\"{}\" is no account SID", sid.value);
                self.notes.error(&sid.place, message, HELP);
            }
            good
        })?;
        let token = token?;
        if token.value.chars().count() < SHORTEST_TOKEN {
            let message = "the account's token is short: whoever guesses it makes calls";
            let help = "take what `openssl rand -hex 16` prints";
            self.notes.warning(&token.place, message, help);
        }
        Some(Account {
            sid: sid.value,
            token: SigningSecret::new(token.value),
        })
    }

    fn read_endpoint(&self, section: Section<'_>, names: &mut Names) -> Option<Endpoint> {
        let name = section.required("name", "crm");
        let url = section.required("url", "https://crm.example/tsunagu");
        let method = section.one_of("method", &Method::WORDS);
        let terms = self.read_terms(&section, own_terms());
        section.close();
        if let Some(name) = &name {
            names.declare(self.notes, name);
        }
        let target = self.read_url(&url?, &terms)?;
        Some(Endpoint {
            name: name?.value,
            target,
            method: method.map_or_else(Method::default, |at| at.value),
            terms: Arc::new(terms),
        })
    }

    fn read_url(&self, url: &At<String>, terms: &Terms) -> Option<Target> {
        let (target, wrong) = match Target::parse_strict(&url.value) {
            Ok(parsed) => parsed,
            Err(error) => {
                let help = "write https://HOST/PATH";
                self.notes.error(&url.place, error.to_string(), help);
                return None;
            }
        };
        if target.has_password() {
            self.notes.hide(&url.place);
            let message = "a password cannot stand here in plain text";
            let help = "sign with `secret`, or show a `certificate`";
            self.notes.error(&url.place, message, help);
            return None;
        }
        for error in wrong {
            let help = "what follows # are ct, rt, tt, rc, rp, sni and edge; see webhooks.md";
            self.notes.error(&url.place, error.to_string(), help);
        }
        if let Some(address) = target.address()
            && let Err(denied) = terms.addresses.check(address)
        {
            let help = format!("add networks = [\"{address}\"] if it is meant");
            self.notes.error(&url.place, denied.to_string(), help);
        }
        Some(target)
    }

    fn read_terms(&self, section: &Section<'_>, default: Terms) -> Terms {
        let at_least = Duration::from_millis(100);
        let time = |key, most, default| {
            let read = section.duration(key, at_least..=Duration::from_secs(most));
            read.map_or(default, |at| at.value)
        };
        let secret = secret::read_key(
            section,
            "secret",
            self.directory,
            self.environment,
            self.notes,
        );
        let signature = section.one_of("signature", &SignatureMode::WORDS);
        if let Some(signature) = &signature
            && signature.value != SignatureMode::None
            && !section.has("secret")
            && default.secret.is_none()
        {
            let help = "add secret = \"env:NAME\" or \"file:PATH\"";
            self.notes
                .error(&signature.place, "a signature needs a `secret`", help);
        }
        let mut allowed = self.networks.clone();
        allowed.extend(networks(section, self.notes));
        let retries = section.integer("retries", 0..=5);
        let kilobytes = whole(section, "reply_kilobytes", 1..=65_536);
        let requests = whole(section, "requests", 1..=10_000);
        Terms {
            budget: time("budget", 60, default.budget),
            connect: time("connect_timeout", 30, default.connect),
            read: time("read_timeout", 60, default.read),
            retries: retries
                .and_then(|at| u32::try_from(at.value).ok())
                .unwrap_or(default.retries),
            retry_on: self.read_retry_on(section).unwrap_or(default.retry_on),
            signature: signature.map_or(default.signature, |at| at.value),
            secret: secret
                .map(|at| SigningSecret::new(at.value))
                .or(default.secret),
            tls: self.read_tls(section),
            server_name: section.text("server_name").map(|at| at.value),
            addresses: AddressRule::new(allowed),
            breaker: read_breaker(section),
            requests: requests.unwrap_or(default.requests),
            reply_limit: kilobytes.map_or(default.reply_limit, |kilobytes| kilobytes << 10),
        }
    }

    fn read_retry_on(&self, section: &Section<'_>) -> Option<RetryOn> {
        const WORDS: [&str; 4] = ["4xx", "5xx", "connect", "read"];
        let mut on = RetryOn::default();
        for word in section.texts("retry_on")? {
            match word.value.as_str() {
                "4xx" => on.client_errors = true,
                "5xx" => on.server_errors = true,
                "connect" => on.connect = true,
                "read" => on.read = true,
                other => {
                    let message = format!("`retry_on` cannot have \"{other}\"");
                    let help = remedy(other, &WORDS, "it may have");
                    self.notes.error(&word.place, message, help);
                }
            }
        }
        Some(on)
    }

    fn read_tls(&self, section: &Section<'_>) -> Arc<TlsClient> {
        let roots = section.text("ca");
        let certificate = section.text("certificate");
        if certificate.is_some() {
            section.demand("key", "\"tls/key.pem\"");
        }
        let key = section.text("key");
        if key.is_some() {
            section.demand("certificate", "\"tls/certificate.pem\"");
        }
        if roots.is_none() && certificate.is_none() {
            return self.tls.clone();
        }
        let files = tls::Files {
            directory: self.directory,
            notes: self.notes,
        };
        let read = |file: &Option<At<String>>| files.content(file.as_ref());
        let roots_text = match &roots {
            Some(_) => read(&roots),
            None => std::fs::read(SYSTEM_ROOTS).unwrap_or_default(),
        };
        let (certificate_text, key_text) = (read(&certificate), read(&key));
        if certificate.is_some() != key.is_some()
            || certificate_text.is_empty() != key_text.is_empty()
        {
            // Told already.
            return self.tls.clone();
        }
        let texts = TlsTexts {
            roots: &roots_text,
            certificate: &certificate_text,
            key: &key_text,
        };
        match TlsClient::new(texts) {
            Ok(client) => Arc::new(client),
            Err(error) => {
                let (file, help) = match &error {
                    TlsTextError::Certificate(_) => (&certificate, tls::CERTIFICATE_HELP),
                    TlsTextError::Key(_) => (&key, tls::KEY_HELP),
                    TlsTextError::Roots(_) => (&roots, tls::ROOTS_HELP),
                };
                let place = file.as_ref().map_or(section.place(), |at| &at.place);
                self.notes.error(place, error.to_string(), help);
                self.tls.clone()
            }
        }
    }

    fn system_tls(&self) -> Arc<TlsClient> {
        let roots = std::fs::read(SYSTEM_ROOTS).unwrap_or_default();
        let texts = TlsTexts {
            roots: &roots,
            ..TlsTexts::default()
        };
        // A system whose roots cannot be read believes nobody; each endpoint may have its own.
        TlsClient::new(texts).map(Arc::new).unwrap_or_default()
    }
}

/// Characters of a token that nobody guesses.
const SHORTEST_TOKEN: usize = 16;

/// What an endpoint with a name has unless told otherwise.
fn own_terms() -> Terms {
    Terms {
        budget: Duration::from_secs(8),
        connect: Duration::from_secs(3),
        read: Duration::from_secs(8),
        signature: SignatureMode::HmacSha256,
        ..Terms::default()
    }
}

fn read_breaker(section: &Section<'_>) -> BreakerTerms {
    let default = BreakerTerms::default();
    let Some(breaker) = section.section("breaker", "[endpoint.breaker]") else {
        return default;
    };
    let number = |key, range, default| {
        let read = breaker.integer(key, range);
        read.and_then(|at| u32::try_from(at.value).ok())
            .unwrap_or(default)
    };
    let time = |key, default| {
        let range = Duration::from_secs(1)..=Duration::from_secs(3600);
        breaker.duration(key, range).map_or(default, |at| at.value)
    };
    let terms = BreakerTerms {
        failures: number("failures", 1..=100, default.failures),
        at_least: number("at_least", 1..=100_000, default.at_least),
        within: time("within", default.within),
        rest: time("rest", default.rest),
        probes: number("probes", 1..=100, default.probes),
    };
    breaker.close();
    terms
}

fn networks(section: &Section<'_>, notes: &Notes) -> Vec<Network> {
    let texts = section.texts("networks").unwrap_or_default();
    let parsed = texts.into_iter().filter_map(|text| {
        let network = Network::parse(&text.value);
        let told = |error: &crate::base::NetworkError| {
            let help = "write an address or ADDRESS/BITS, such as \"10.0.0.0/8\"";
            notes.error(&text.place, error.to_string(), help);
        };
        network.inspect_err(told).ok()
    });
    parsed.collect()
}

fn whole(
    section: &Section<'_>,
    key: &'static str,
    range: std::ops::RangeInclusive<i64>,
) -> Option<usize> {
    usize::try_from(section.integer(key, range)?.value).ok()
}
