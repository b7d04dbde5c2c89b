//! Ways that part: `branch` by conditions, `split` by chance, `loop` by counting.

use serde::{Deserialize, Serialize};

use super::{Kind, Mention, Part, Run, See, Turn};
use crate::base::Timestamp;
use crate::flow::Condition;
use crate::flow::check::{Fault, Spot};

/// A way that is taken when its condition holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// The condition.
    #[serde(rename = "if")]
    pub condition: Condition,
    /// Step.
    pub next: String,
}

/// The first way whose condition holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Branching {
    /// Ways, in order.
    pub cases: Vec<Case>,
    /// Step when no condition holds.
    pub otherwise: String,
}

/// One way of several, by chance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Splitting {
    /// Ways; their shares make a hundred.
    pub shares: Vec<Share>,
}

/// A way with its share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// So many callers of a hundred.
    pub percent: u32,
    /// Step.
    pub next: String,
}

/// A way that is gone so many times.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looping {
    /// How many times, at least 1.
    pub times: u32,
    /// First step of the way; its last leads back to the loop.
    pub body: String,
    /// Step afterwards.
    pub next: String,
}

/// Tells cases with their steps.
pub(super) fn see_cases<'a>(cases: &'a [Case], see: See<'_, 'a>) {
    for (index, case) in cases.iter().enumerate() {
        let part = |key| Part::Field(index, key);
        see("cases", part("if"), Mention::Condition(&case.condition));
        see("cases", part("next"), Mention::Step(&case.next));
    }
}

/// A branch or its like that never parts.
pub(super) fn no_cases(step: &str, cases: &[Case]) -> Vec<Fault> {
    let help = "add one: cases = [{ if = \"...\", next = \"...\" }]";
    let fault = || Fault::fatal(Spot::key(step, "cases"), "no cases", help);
    cases.is_empty().then(fault).into_iter().collect()
}

/// The step of the first case that holds.
pub(super) fn first_that_holds<'a>(
    cases: &'a [Case],
    otherwise: &'a str,
    run: &Run,
    now: Timestamp,
) -> Turn {
    let names = run.names(now);
    let holds = cases.iter().find(|case| case.condition.holds(&names));
    Turn::Go(holds.map_or(otherwise, |case| &case.next).to_owned())
}

impl Kind for Branching {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see_cases(&self.cases, see);
        see("otherwise", Part::Whole, Mention::Step(&self.otherwise));
    }

    fn faults(&self, step: &str) -> Vec<Fault> {
        no_cases(step, &self.cases)
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, now: Timestamp, _at: &str) -> Turn {
        first_that_holds(&self.cases, &self.otherwise, run, now)
    }
}

impl Kind for Splitting {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        for (index, share) in self.shares.iter().enumerate() {
            let part = Part::Field(index, "next");
            see("shares", part, Mention::Step(&share.next));
        }
    }

    fn faults(&self, step: &str) -> Vec<Fault> {
        let sum: u64 = self.shares.iter().map(|it| u64::from(it.percent)).sum();
        let message = format!("the shares make {sum} in a hundred");
        let fault = || {
            let help = "change them so that they make 100";
            Fault::fatal(Spot::key(step, "shares"), message, help)
        };
        (sum != 100).then(fault).into_iter().collect()
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, _now: Timestamp, _at: &str) -> Turn {
        let mut drawn = run.draw(100);
        for share in &self.shares {
            match drawn.checked_sub(u64::from(share.percent)) {
                Some(rest) => drawn = rest,
                None => return Turn::Go(share.next.clone()),
            }
        }
        let last = self.shares.last();
        Turn::Go(last.map_or(crate::flow::HANG_UP, |it| &it.next).to_owned())
    }
}

impl Kind for Looping {
    fn mentions<'a>(&'a self, see: See<'_, 'a>) {
        see("body", Part::Whole, Mention::Step(&self.body));
        see("next", Part::Whole, Mention::Step(&self.next));
    }

    fn faults(&self, step: &str) -> Vec<Fault> {
        let spot = || Spot::key(step, "times");
        let never = (self.times == 0)
            .then(|| Fault::fatal(spot(), "a loop of no round", "write 1 or more"));
        never.into_iter().collect()
    }

    fn is_instant(&self) -> bool {
        true
    }

    fn enter(&self, run: &mut Run, _now: Timestamp, at: &str) -> Turn {
        match run.count_round(at, self.times) {
            true => Turn::Go(self.body.clone()),
            false => Turn::Go(self.next.clone()),
        }
    }
}
