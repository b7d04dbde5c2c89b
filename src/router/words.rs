//! Facts in words, English and Japanese: what `why` and the API tell people of a decision.

use std::fmt::Write as _;

use super::{
    At, Command, Decision, Explanation, Fact, Known, LeftWhy, MovedWhy, NobodyWhy, NotChosen,
    Passed, PassedWhy, Rejection, SkippedWhy, Timer,
};
use crate::base::Timestamp;

/// A language that facts are told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// English.
    #[default]
    English,
    /// Japanese.
    Japanese,
}

use Language::{English, Japanese};

impl Language {
    /// The language of a tag such as `ja`, `ja-JP` or `en`.
    pub fn of(tag: &str) -> Option<Self> {
        match tag.split(['-', '_']).next() {
            Some("en") => Some(English),
            Some("ja") => Some(Japanese),
            _ => None,
        }
    }
}

impl Fact {
    /// The fact in a sentence.
    pub fn words(&self, language: Language) -> String {
        match self {
            Fact::Input(command) => command.words(language),
            Fact::Timer(timer) => timer.words(language),
            Fact::Decision(decision) => decision.words(language),
        }
    }

    /// Who was looked at, and why.
    pub fn explanation(&self) -> Option<&Explanation> {
        match self {
            Fact::Decision(
                Decision::NobodyCanTake { explanation, .. }
                | Decision::Offered { explanation, .. }
                | Decision::Waits { explanation, .. },
            ) => Some(explanation),
            _ => None,
        }
    }
}

impl Command {
    fn words(&self, language: Language) -> String {
        let say = |english: String, japanese: String| match language {
            English => english,
            Japanese => japanese,
        };
        match self {
            Command::Accept { reservation } => say(
                format!("offer {reservation} was accepted"),
                format!("オファー {reservation} に応答がありました"),
            ),
            Command::CancelTask { why, .. } => {
                say(format!("canceled: {why}"), format!("取り消されました: {why}"))
            }
            Command::Complete { .. } => {
                say("the conversation is over".into(), "会話が終わりました".into())
            }
            Command::CreateTask(new) => {
                let (english, japanese) = match &new.to {
                    super::Destination::Queue(queue) => {
                        (format!("queue {queue}"), format!("キュー {queue}"))
                    }
                    super::Destination::Workflow(workflow) => {
                        (format!("workflow {workflow}"), format!("ワークフロー {workflow}"))
                    }
                };
                say(
                    format!("task {} enters {english} with priority {}", new.task, new.priority),
                    format!("タスク {} が{japanese}に優先度 {} で入りました", new.task, new.priority),
                )
            }
            Command::EndWrap { worker, code, .. } => {
                let code = code.as_deref().unwrap_or("-");
                say(
                    format!("{worker} ended the after-call work (code {code})"),
                    format!("{worker} が後処理を終えました (コード {code})"),
                )
            }
            Command::GiveBack { reservation, why } => say(
                format!("offer {reservation} came to nothing: {}", why.as_str()),
                format!("オファー {reservation} はつながりませんでした: {}", rejection(*why)),
            ),
            Command::Reject {
                reservation, why, ..
            } => say(
                format!("offer {reservation} was not taken: {}", why.as_str().replace('_', " ")),
                format!("オファー {reservation} は受けられませんでした: {}", rejection(*why)),
            ),
            Command::UpdateTask { reevaluate, .. } => match reevaluate {
                true => say(
                    "changed, and begins its workflow anew".into(),
                    "変更され、ワークフローをはじめからやり直します".into(),
                ),
                false => say("changed".into(), "変更されました".into()),
            },
            Command::Recover { .. } => {
                say("the switch was restarted".into(), "交換機が再起動しました".into())
            }
            // What is left is about workers and plans, not about a task.
            other => say(format!("{other:?}"), format!("{other:?}")),
        }
    }
}

fn rejection(why: Rejection) -> &'static str {
    match why {
        Rejection::Busy => "話し中",
        Rejection::ByApi => "API からの辞退",
        Rejection::Declined => "辞退",
        Rejection::Failed(_) => "電話機の失敗",
        Rejection::NoAnswer => "応答なし",
        Rejection::Unreachable => "電話機に届かない",
    }
}

impl Timer {
    fn words(&self, language: Language) -> String {
        let (english, japanese) = match self {
            Timer::CoolDownOver { worker, .. } => (
                format!("{worker} may be offered it again"),
                format!("{worker} に再びオファーできます"),
            ),
            Timer::NewDay => ("a new day".into(), "日付が変わりました".into()),
            Timer::PauseOver { worker } => (
                format!("{worker} may be offered tasks again"),
                format!("{worker} に再びオファーできます"),
            ),
            Timer::RingTimeout { reservation } => (
                format!("offer {reservation} rang as long as it may"),
                format!("オファー {reservation} の呼び出し時間が過ぎました"),
            ),
            Timer::StepOver { .. } => (
                "the step lasted as long as it may".into(),
                "ステップの時間が過ぎました".into(),
            ),
            Timer::TaskOver { .. } => (
                "it lived as long as it may".into(),
                "タスクの有効時間が過ぎました".into(),
            ),
            Timer::Visible { .. } => (
                "workers who see it late see it now".into(),
                "遅れて見える担当者にも見えるようになりました".into(),
            ),
            Timer::WrapOver { worker, .. } => (
                format!("the after-call work of {worker} is over"),
                format!("{worker} の後処理時間が終わりました"),
            ),
        };
        match language {
            English => english,
            Japanese => japanese,
        }
    }
}

impl Decision {
    fn words(&self, language: Language) -> String {
        match (self, language) {
            (Decision::NobodyCanTake { why, explanation, .. }, English) => {
                let why = match why {
                    NobodyWhy::NoMatch => "no worker of the plan matches",
                    NobodyWhy::NoneOnDuty => "nobody who matches is on duty",
                };
                format!("nobody can take it: {why}; {}", explanation.words(English))
            }
            (Decision::NobodyCanTake { why, explanation, .. }, Japanese) => {
                let why = match why {
                    NobodyWhy::NoMatch => "条件に合う担当者がいません",
                    NobodyWhy::NoneOnDuty => "条件に合う担当者が勤務していません",
                };
                format!("受けられる人がいません: {why}。{}", explanation.words(Japanese))
            }
            (Decision::Moved { to, why, known, passed, .. }, English) => {
                let mut text = format!("goes to {}: {}", place(*to, English), moved(*why, English));
                if let Some(known) = known {
                    let _ = write!(text, "; it names {}", names(known, English));
                }
                text + &past(passed, English)
            }
            (Decision::Moved { to, why, known, passed, .. }, Japanese) => {
                let mut text =
                    format!("{}へ進みます: {}", place(*to, Japanese), moved(*why, Japanese));
                if let Some(known) = known {
                    let _ = write!(text, "。指名: {}", names(known, Japanese));
                }
                text + &past(passed, Japanese)
            }
            (Decision::Offered { offers, expires_at, explanation, .. }, English) => {
                let workers: Vec<&str> = offers.iter().map(|one| one.worker.as_str()).collect();
                let (workers, until) = (workers.join(", "), clock(*expires_at));
                format!("offered to {workers} until {until}; {}", explanation.words(English))
            }
            (Decision::Offered { offers, expires_at, explanation, .. }, Japanese) => {
                let workers: Vec<&str> = offers.iter().map(|one| one.worker.as_str()).collect();
                let (workers, until) = (workers.join("、"), clock(*expires_at));
                format!("{workers} に {until} までオファー。{}", explanation.words(Japanese))
            }
            (Decision::TaskDropped { why, passed, .. }, English) => {
                format!("given up: {}{}", left(*why, English), past(passed, English))
            }
            (Decision::TaskDropped { why, passed, .. }, Japanese) => {
                format!("打ち切り: {}{}", left(*why, Japanese), past(passed, Japanese))
            }
            (Decision::Waits { explanation, .. }, English) => {
                format!("waits; {}", explanation.words(English))
            }
            (Decision::Waits { explanation, .. }, Japanese) => {
                format!("待ちます。{}", explanation.words(Japanese))
            }
        }
    }
}

impl Explanation {
    /// Rule, candidates and reasons, in a few sentences.
    pub fn words(&self, language: Language) -> String {
        let mut text = String::new();
        if let Some(rule) = &self.rule {
            let step = place(rule.at, language);
            let filter = match rule.filter.as_str() {
                "" => String::new(),
                name => format!(" \"{name}\""),
            };
            let _ = match language {
                English => write!(text, "rule: workflow {},{filter} {step}", rule.workflow),
                Japanese => write!(text, "規則: ワークフロー {}{filter} {step}", rule.workflow),
            };
            if let Some(expression) = &rule.expression {
                let _ = write!(text, " ({expression})");
            }
            text.push_str("; ");
        }
        let (queue, position, target) = (&self.queue, self.position, &self.target);
        let _ = match language {
            English => write!(text, "number {position} of queue {queue} (served by {target}); "),
            Japanese => write!(text, "キュー {queue} の {position} 番目 (担当: {target}); "),
        };
        match (&self.chosen, language) {
            (Some(chosen), English) => {
                let (worker, idle) = (&chosen.worker, chosen.idle_ms / 1000);
                let _ = write!(text, "{worker}: first of {} free, idle {idle} s", chosen.among);
            }
            (Some(chosen), Japanese) => {
                let (worker, idle) = (&chosen.worker, chosen.idle_ms / 1000);
                let _ = write!(text, "{worker}: 空き {} 人の先頭、待機 {idle} 秒", chosen.among);
            }
            (None, English) => text.push_str("nobody is free"),
            (None, Japanese) => text.push_str("空いている人がいません"),
        }
        for (reason, count) in &self.not_chosen {
            let _ = match language {
                English => write!(text, ", {count} {}", reason.words()),
                Japanese => write!(text, "、{}: {count} 人", reason.japanese()),
            };
        }
        if let Some(until) = self.until {
            let until = clock(until);
            let _ = match language {
                English => write!(text, "; moves on at {until} at the latest"),
                Japanese => write!(text, "。遅くとも {until} に次へ進みます"),
            };
        }
        text
    }
}

impl NotChosen {
    /// A few words for people, in Japanese.
    pub fn japanese(self) -> &'static str {
        match self {
            NotChosen::IdleLessLong => "順番が後",
            NotChosen::SeesLater => "まだ見えない",
            NotChosen::OfferedBefore => "直前にオファー済み",
            NotChosen::Paused => "電話機が直前に失敗",
            NotChosen::WrapUp => "後処理中",
            NotChosen::Reserved => "別のオファー中",
            NotChosen::Talking => "通話中",
            NotChosen::OtherChannel => "別チャネルで対応中",
            NotChosen::PhoneBusy => "電話機が別の通話中",
            NotChosen::Leaving => "離席予定",
            NotChosen::Unavailable => "受付不可の状態",
            NotChosen::Unreachable => "電話機が未登録",
            NotChosen::NotForStep => "このステップの対象外",
            NotChosen::NotInQueue => "このキューの担当外",
            NotChosen::Removed => "計画から削除済み",
        }
    }
}

fn place(at: At, language: Language) -> String {
    match (at, language) {
        (At::Filter(filter, step), English) => format!("filter {}, step {}", filter + 1, step + 1),
        (At::Filter(filter, step), Japanese) => {
            format!("フィルタ {}、ステップ {}", filter + 1, step + 1)
        }
        (At::Default, English) => "the default step".to_owned(),
        (At::Default, Japanese) => "既定のステップ".to_owned(),
    }
}

fn moved(why: MovedWhy, language: Language) -> &'static str {
    match (why, language) {
        (MovedWhy::Entered, English) => "it is new here",
        (MovedWhy::Entered, Japanese) => "新しく入りました",
        (MovedWhy::Skipped(SkippedWhy::NoMatch), English) => "nobody matches the step before",
        (MovedWhy::Skipped(SkippedWhy::NoMatch), Japanese) => "前のステップに合う人がいません",
        (MovedWhy::Skipped(SkippedWhy::NoneOnDuty), English) => {
            "nobody of the step before is on duty"
        }
        (MovedWhy::Skipped(SkippedWhy::NoneOnDuty), Japanese) => {
            "前のステップの人が誰も勤務していません"
        }
        (MovedWhy::Skipped(SkippedWhy::SkipIf), English) => "skip_if of the step before holds",
        (MovedWhy::Skipped(SkippedWhy::SkipIf), Japanese) => {
            "前のステップの skip_if が成り立ちました"
        }
        (MovedWhy::TimedOut, English) => "the step before lasted as long as it may",
        (MovedWhy::TimedOut, Japanese) => "前のステップの時間が過ぎました",
    }
}

fn left(why: LeftWhy, language: Language) -> &'static str {
    match (why, language) {
        (LeftWhy::TimeToLive, English) => "it lived as long as it may",
        (LeftWhy::TimeToLive, Japanese) => "有効時間が過ぎました",
        (LeftWhy::TooManyOffers, English) => "it was offered too often",
        (LeftWhy::TooManyOffers, Japanese) => "オファーの回数が上限に達しました",
        (LeftWhy::Unmatched, English) => "no filter matches it, and there is no default",
        (LeftWhy::Unmatched, Japanese) => "合うフィルタも既定もありません",
        (LeftWhy::WorkflowSkipped, English) => "the last step was skipped",
        (LeftWhy::WorkflowSkipped, Japanese) => "最後のステップが飛ばされました",
        (LeftWhy::WorkflowTimedOut, English) => "the last step timed out",
        (LeftWhy::WorkflowTimedOut, Japanese) => "最後のステップの時間が過ぎました",
    }
}

fn names(known: &Known, language: Language) -> String {
    match (known, language) {
        (Known::Worker(name), _) => name.clone(),
        (Known::Null, English) => "nobody".to_owned(),
        (Known::Null, Japanese) => "なし".to_owned(),
        (Known::OutsideQueue(name), English) => format!("{name}, who does not serve the queue"),
        (Known::OutsideQueue(name), Japanese) => format!("{name} (キューの担当外)"),
        (Known::Unknown(name), English) => format!("{name}, whom the plan does not know"),
        (Known::Unknown(name), Japanese) => format!("{name} (計画にいない)"),
    }
}

fn past(passed: &[Passed], language: Language) -> String {
    let mut text = String::new();
    for one in passed {
        let at = place(one.at, language);
        let why = match (one.why, language) {
            (PassedWhy::NoMatch, English) => "does not match",
            (PassedWhy::NoMatch, Japanese) => "不一致",
            (PassedWhy::QueueGone, English) => "its queue is gone",
            (PassedWhy::QueueGone, Japanese) => "キューがありません",
            (PassedWhy::QueueFull, English) => "its queue is full",
            (PassedWhy::QueueFull, Japanese) => "キューが満杯",
        };
        let _ = match language {
            English => write!(text, "; passed {at}: {why}"),
            Japanese => write!(text, "。通過 {at}: {why}"),
        };
    }
    text
}

fn clock(at: Timestamp) -> String {
    let text = at.to_rfc3339();
    text.get(11..23).map_or(text.clone(), |time| format!("{time} UTC"))
}
