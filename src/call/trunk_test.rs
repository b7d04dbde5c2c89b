//! A test of a trunk: what is told of it, and how it begins. The call itself is
//! [`super::feature`]'s.

use serde::{Deserialize, Serialize};

use super::CallKey;
use super::core::Core;
use super::exchange::Exchange;
use super::feature::{Stage, TrunkTest};
use super::machine::Call;
use crate::base::{CallId, Timestamp};
use crate::events::{Direction, Fact, Stretch};
use crate::sip::{HeaderName, Message};
use crate::trunk::Trunk;

/// What a test found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TestReport {
    /// Trunk.
    pub trunk: String,
    /// Its profile.
    pub profile: String,
    /// Number called.
    pub number: String,
    /// The call's id: its record and its recording tell the rest.
    pub call: String,
    /// What was checked, in order.
    pub rows: Vec<TestRow>,
    /// Recording of the call (left what the carrier sent, right what we did), below the
    /// recordings directory and without ending; `None` when nothing was heard.
    pub recording: Option<String>,
}

/// One thing checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestRow {
    /// What.
    pub check: String,
    /// How it came out.
    pub outcome: TestOutcome,
    /// Why, in words.
    pub words: String,
    /// How long it took, milliseconds; `None` where time means nothing.
    pub ms: Option<u64>,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// It does not work.
    Failed,
    /// It works.
    Passed,
    /// It does not apply, or cannot be told from here.
    Skipped,
}

impl TestReport {
    /// Whether nothing failed.
    pub fn is_passed(&self) -> bool {
        let failed = |row: &TestRow| row.outcome == TestOutcome::Failed;
        !self.rows.iter().any(failed)
    }

    /// Adds a row.
    pub fn row(
        &mut self,
        check: &str,
        outcome: TestOutcome,
        words: impl Into<String>,
        ms: Option<u64>,
    ) {
        self.rows.push(TestRow {
            check: check.to_owned(),
            outcome,
            words: words.into(),
            ms,
        });
    }
}

/// What a far end said in its responses that a test looks at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// A provisional response required PRACK (RFC 3262).
    pub(crate) reliable: bool,
    /// Session-Expires of the 200 (RFC 4028).
    pub(crate) session_expires: Option<String>,
    /// Status of the last response.
    pub(crate) status: u16,
}

impl Heard {
    pub(crate) fn note(&mut self, response: &Message) {
        self.status = response.status().unwrap_or_default();
        if self.status < 200 {
            let requires = response.require();
            self.reliable |= requires
                .iter()
                .any(|tag| tag.eq_ignore_ascii_case("100rel"));
        } else {
            let text = response.header_text(HeaderName::SessionExpires);
            self.session_expires = text.map(|text| text.trim().to_owned());
        }
    }
}

impl Exchange {
    /// Begins a test: [`super::Output::Tested`] follows.
    ///
    /// # Errors
    ///
    /// In words: no such trunk, no number to call, or a test that runs.
    pub fn test_trunk(
        &mut self,
        now: Timestamp,
        name: &str,
        number: Option<String>,
    ) -> Result<CallId, String> {
        let generation = self.generation().clone();
        let Some(trunk) = generation.trunks.get(name) else {
            let names: Vec<&str> = generation.trunks.keys().map(String::as_str).collect();
            return Err(format!("no trunk {name}; there is {}", names.join(", ")));
        };
        let own = own_number(trunk);
        let Some(number) = number.or_else(|| own.clone()) else {
            return Err(format!(
                "trunk {name} has neither caller_id nor an account: say which number to call"
            ));
        };
        if !number
            .bytes()
            .all(|c| c.is_ascii_digit() || b"+*#".contains(&c))
        {
            return Err(format!("\"{number}\" is not a number"));
        }
        if !self.carriers.expect(name, &number) {
            return Err(format!("a test of trunk {name} runs already"));
        }
        let rounds = self.carriers.rounds(name);
        let from = own.unwrap_or_else(|| number.clone());
        let stage = TrunkTest::new(name.to_owned(), number.clone(), rounds);
        let id = self.open_test(now, (name, from, number), Stage::Test(Box::new(stage)));
        self.renew_registration(now, name);
        self.pump(now);
        Ok(id)
    }

    /// A call that nobody placed but the switch itself.
    fn open_test(
        &mut self,
        now: Timestamp,
        (trunk, from, to): (&str, String, String),
        stage: Stage,
    ) -> CallId {
        self.next_key += 1;
        let key = CallKey(self.next_key);
        let id = self.ids.call(now);
        let generation = self.generation().number;
        let numbers = (from.clone(), to.clone());
        let core = Core::new((id.clone(), key), generation, Direction::Outbound, numbers);
        tracing::info!(call = %id, trunk, "trunk test");
        self.admit(Box::new(Call {
            core,
            stage: Stage::Over,
        }));
        let origin = self.ids.origin().clone();
        self.with_call(now, key, |call, hands| {
            let started = Fact::CallStarted {
                region: origin.region,
                node: origin.node,
                direction: Direction::Outbound,
                from,
                to,
                trunk: None,
                generation,
            };
            call.core.emit(hands, started);
            call.core
                .caller_enters(hands, Stretch::Service, "trunk test");
            call.start(hands, stage);
        });
        id
    }
}

/// The number a trunk calls itself by.
fn own_number(trunk: &Trunk) -> Option<String> {
    let account = || trunk.accounts.first().map(|account| account.user.clone());
    trunk.caller_id.clone().or_else(account)
}
