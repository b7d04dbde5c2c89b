//! Facts in words, English and Japanese. Every kind of fact and every reason is here.

use std::collections::HashMap;

use crate::base::{CallId, Language, ReservationId, TaskId};
use crate::router::{
    At, ChosenBy, Command, Decision, Destination, Explanation, Fact, LeftWhy, MovedWhy, NewTask,
    NobodyWhy, NotChosen, Rejection, SkippedWhy, Timer, VOICE,
};

/// One fact, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Kind, as in the journal: `create_task`, `ring_timeout`, `offered` ...
    pub kind: &'static str,
    /// Task.
    pub task: Option<TaskId>,
    /// Its call.
    pub call: Option<CallId>,
    /// Workers; several where several are rung at a time.
    pub workers: Vec<String>,
    /// What happened, one line.
    pub words: String,
}

/// What facts before said of names that later ones only hint at.
#[derive(Clone, Debug, Default)]
pub struct Names {
    offers: HashMap<ReservationId, (TaskId, String)>,
    calls: HashMap<TaskId, CallId>,
}

impl Names {
    /// Takes note of a fact.
    pub fn learn(&mut self, fact: &Fact) {
        match fact {
            Fact::Input(Command::CreateTask(new)) => {
                if let Some(call) = &new.call {
                    self.calls.insert(new.task.clone(), call.clone());
                }
            }
            Fact::Decision(Decision::Offered { task, offers, .. }) => {
                for one in offers {
                    let offer = (task.clone(), one.worker.clone());
                    self.offers.insert(one.reservation.clone(), offer);
                }
            }
            Fact::Input(_) | Fact::Timer(_) | Fact::Decision(_) => {}
        }
    }

    fn offer(&self, reservation: &ReservationId) -> (Option<TaskId>, Option<String>) {
        match self.offers.get(reservation) {
            Some((task, worker)) => (Some(task.clone()), Some(worker.clone())),
            None => (None, None),
        }
    }
}

impl Told {
    /// What a fact says.
    pub fn of(fact: &Fact, names: &Names, language: Language) -> Self {
        let mut told = match fact {
            Fact::Input(command) => input(command, names, language),
            Fact::Timer(timer) => deadline(timer, names, language),
            Fact::Decision(decision) => choice(decision, language),
        };
        let task = told.task.as_ref();
        told.call = told.call.or_else(|| names.calls.get(task?).cloned());
        told
    }

    fn new(kind: &'static str, words: String) -> Self {
        Self {
            kind,
            task: None,
            call: None,
            workers: Vec::new(),
            words,
        }
    }

    fn task(mut self, task: &TaskId) -> Self {
        self.task = Some(task.clone());
        self
    }

    fn worker(mut self, worker: &str) -> Self {
        self.workers.push(worker.to_owned());
        self
    }
}

fn input(command: &Command, names: &Names, language: Language) -> Told {
    // An offer made before the first fact that was read is named by its own id.
    let offer = |kind, reservation: &ReservationId, say: &dyn Fn(&str, &str) -> String| {
        let (task, worker) = names.offer(reservation);
        let of = task.as_ref().map_or(reservation.as_str(), TaskId::as_str);
        let who = worker
            .as_deref()
            .unwrap_or(language.pick("someone", "担当者"));
        Told {
            task: task.clone(),
            words: say(who, of),
            workers: worker.iter().cloned().collect(),
            ..Told::new(kind, String::new())
        }
    };
    match command {
        Command::Accept { reservation } => offer("accept", reservation, &|who, task| {
            language.pick(
                format!("{who} takes {task}"),
                format!("{who}が{task}に応答"),
            )
        }),
        Command::ActivatePlan { plan, .. } => {
            let (agents, queues) = (plan.workers.len(), plan.queues.len());
            let (hash, generation) = (plan.hash(), plan.generation);
            Told::new(
                "activate_plan",
                language.pick(
                    format!(
                        "plan {hash} (generation {generation}) becomes current: \
                         {agents} agents, {queues} queues"
                    ),
                    format!(
                        "プラン{hash}(世代{generation})を適用: エージェント{agents}名、\
                         キュー{queues}件"
                    ),
                ),
            )
        }
        Command::CancelTask { task, why } => {
            let why = why.replace('_', " ");
            let words = language.pick(
                format!("{task} leaves: {why}"),
                format!("{task}が離脱: {why}"),
            );
            Told::new("cancel_task", words).task(task)
        }
        Command::Complete { task, code } => {
            let mut words = language.pick(
                format!("{task}: the conversation is over"),
                format!("{task}の通話が終了"),
            );
            if let Some(code) = code {
                words += &language.pick(format!(": {code}"), format!("({code})"));
            }
            Told::new("complete", words).task(task)
        }
        Command::CreateTask(new) => {
            let NewTask {
                task,
                call,
                to,
                channel,
                attributes,
                priority,
                ..
            } = new.as_ref();
            let mut words = match to {
                Destination::Queue(queue) => language.pick(
                    format!("{task} enters queue {queue}"),
                    format!("{task}がキュー{queue}に入る"),
                ),
                Destination::Workflow(workflow) => language.pick(
                    format!("{task} enters workflow {workflow}"),
                    format!("{task}がワークフロー{workflow}に入る"),
                ),
            };
            if channel != VOICE {
                words += &language.pick(format!(", {channel}"), format!("、{channel}"));
            }
            if *priority != 0 {
                words += &language.pick(
                    format!(", priority {priority}"),
                    format!("、優先度{priority}"),
                );
            }
            if !attributes.is_empty() {
                let text = serde_json::to_string(attributes).unwrap_or_default();
                words += &format!(" {text}");
            }
            Told {
                call: call.clone(),
                ..Told::new("create_task", words).task(task)
            }
        }
        Command::EndWrap { worker, code, .. } => {
            let mut words = language.pick(
                format!("{worker} ends his after-call work"),
                format!("{worker}が後処理を終了"),
            );
            if let Some(code) = code {
                words += &language.pick(format!(": {code}"), format!("({code})"));
            }
            Told::new("end_wrap", words).worker(worker)
        }
        Command::ExtendWrap { worker, by } => {
            let by = by.as_secs();
            let words = language.pick(
                format!("{worker} extends his after-call work by {by} s"),
                format!("{worker}が後処理を{by}秒延長"),
            );
            Told::new("extend_wrap", words).worker(worker)
        }
        Command::StartWrap { worker, lasts } => {
            let words = match lasts.map(|lasts| lasts.as_secs()) {
                Some(lasts) => language.pick(
                    format!("{worker} begins after-call work of {lasts} s"),
                    format!("{worker}が{lasts}秒の後処理を開始"),
                ),
                None => language.pick(
                    format!("{worker} begins after-call work"),
                    format!("{worker}が後処理を開始"),
                ),
            };
            Told::new("start_wrap", words).worker(worker)
        }
        Command::GiveBack { reservation, why } => offer("give_back", reservation, &|who, task| {
            let why = rejection(*why, language);
            language.pick(
                format!("{who} gives {task} back: {why}"),
                format!("{who}が{task}を返却: {why}"),
            )
        }),
        Command::Recover { calls, phones } => {
            let (calls, phones) = (calls.len(), phones.len());
            Told::new(
                "recover",
                language.pick(
                    format!("restart: {calls} calls live on, {phones} phones are registered"),
                    format!("再起動: 継続中の通話{calls}件、登録済みの電話{phones}台"),
                ),
            )
        }
        Command::Reject {
            reservation, why, ..
        } => offer("reject", reservation, &|who, task| {
            let why = rejection(*why, language);
            language.pick(
                format!("{who} does not take {task}: {why}"),
                format!("{who}が{task}に応答せず: {why}"),
            )
        }),
        Command::SetActivity {
            worker,
            activity,
            by,
            ..
        } => {
            let words = language.pick(
                format!("{worker} is now {activity}, set by {by}"),
                format!("{worker}の状態を{activity}に変更({by})"),
            );
            Told::new("set_activity", words).worker(worker)
        }
        Command::SetBusy { worker, busy, .. } => {
            let words = match busy {
                true => language.pick(
                    format!("the phone of {worker} is in another call"),
                    format!("{worker}の電話は別の通話中"),
                ),
                false => language.pick(
                    format!("the phone of {worker} is in no other call any more"),
                    format!("{worker}の電話の別の通話が終了"),
                ),
            };
            Told::new("set_busy", words).worker(worker)
        }
        Command::SetNextActivity {
            worker,
            activity,
            by,
        } => {
            let words = match activity {
                Some(activity) => language.pick(
                    format!("{worker} will be {activity} when done, set by {by}"),
                    format!("{worker}は終了後{activity}になる({by})"),
                ),
                None => language.pick(
                    format!("{worker} stays when done, set by {by}"),
                    format!("{worker}の次の状態を取消({by})"),
                ),
            };
            Told::new("set_next_activity", words).worker(worker)
        }
        Command::UpdateTask {
            task, reevaluate, ..
        } => {
            let words = match reevaluate {
                true => language.pick(
                    format!("{task} changes and begins its workflow anew"),
                    format!("{task}を変更し、ワークフローを最初から再評価"),
                ),
                false => language.pick(format!("{task} changes"), format!("{task}を変更")),
            };
            Told::new("update_task", words).task(task)
        }
        Command::SetReachable { worker, reachable } => {
            let words = match reachable {
                true => language.pick(
                    format!("the phone of {worker} is registered"),
                    format!("{worker}の電話が登録された"),
                ),
                false => language.pick(
                    format!("the phone of {worker} is no longer registered"),
                    format!("{worker}の電話の登録が切れた"),
                ),
            };
            Told::new("set_reachable", words).worker(worker)
        }
    }
}

fn deadline(timer: &Timer, names: &Names, language: Language) -> Told {
    match timer {
        Timer::CoolDownOver { task, worker } => {
            let words = language.pick(
                format!("{task} may be offered to {worker} again"),
                format!("{task}を{worker}に再び呼び出し可能"),
            );
            let told = Told::new("cool_down_over", words);
            told.task(task).worker(worker)
        }
        Timer::NewDay => {
            let words = language.pick("a new day begins", "日付が変わる");
            Told::new("new_day", words.to_owned())
        }
        Timer::StepOver { task } => {
            let words = language.pick(
                format!("the time of {task} at its step is over"),
                format!("{task}のステップの制限時間が経過"),
            );
            Told::new("step_over", words).task(task)
        }
        Timer::TaskOver { task } => {
            let words = language.pick(
                format!("{task} is given up: it lived as long as it may"),
                format!("{task}を断念: 有効期間の終了"),
            );
            Told::new("task_over", words).task(task)
        }
        Timer::Visible { task } => {
            let words = language.pick(
                format!("{task} waited long enough to be seen by more agents"),
                format!("{task}の待ち時間が経過し、対象のエージェントが増える"),
            );
            Told::new("visible", words).task(task)
        }
        Timer::PauseOver { worker } => {
            let words = language.pick(
                format!("{worker} may be offered tasks again"),
                format!("{worker}を再び呼び出し可能"),
            );
            Told::new("pause_over", words).worker(worker)
        }
        Timer::RingTimeout { reservation } => {
            let (task, worker) = names.offer(reservation);
            let of = task.as_ref().map_or(reservation.as_str(), TaskId::as_str);
            let who = worker
                .as_deref()
                .unwrap_or(language.pick("someone", "担当者"));
            let words = language.pick(
                format!("{who} did not answer {of} in time"),
                format!("{who}が{of}に時間内に応答しなかった"),
            );
            Told {
                task: task.clone(),
                workers: worker.iter().cloned().collect(),
                ..Told::new("ring_timeout", words)
            }
        }
        Timer::WrapOver { worker, .. } => {
            let words = language.pick(
                format!("the after-call work of {worker} is over"),
                format!("{worker}の後処理時間が終了"),
            );
            Told::new("wrap_over", words).worker(worker)
        }
    }
}

fn choice(decision: &Decision, language: Language) -> Told {
    match decision {
        Decision::NobodyCanTake {
            task,
            why,
            explanation,
        } => {
            let why = nobody(*why, language);
            let reasons = because(explanation, language);
            let words = language.pick(
                format!("nobody can take {task}: {why}{reasons}"),
                format!("{task}に応答できる人がいない: {why}{reasons}"),
            );
            Told::new("nobody_can_take", words).task(task)
        }
        Decision::Moved { task, to, why, .. } => {
            let (at, why) = (step(*to, language), moved(*why, language));
            let words = language.pick(
                format!("{task} goes to {at}: {why}"),
                format!("{task}が{at}へ移動: {why}"),
            );
            Told::new("moved", words).task(task)
        }
        Decision::Waits { task, explanation } => {
            let reasons = because(explanation, language);
            let queue = &explanation.queue;
            let words = language.pick(
                format!("{task} waits in {queue}: nobody is free{reasons}"),
                format!("{task}は{queue}で待機: 空きのエージェントなし{reasons}"),
            );
            Told::new("waits", words).task(task)
        }
        Decision::Offered {
            task,
            offers,
            explanation,
            ..
        } => {
            let names = offers.iter().map(|offer| offer.worker.as_str());
            let worker = &names.collect::<Vec<_>>().join(language.pick(", ", "、"));
            let reasons = because(explanation, language);
            let how = explanation
                .chosen
                .as_ref()
                .map_or_else(String::new, |chosen| {
                    let (idle, among) = (chosen.idle_ms / 1000, chosen.among);
                    let how = chosen_by(chosen.by, idle, language);
                    language.pick(
                        format!(": {how} of {among} free"),
                        format!(": 待機中{among}名のうち{how}"),
                    )
                });
            let words = language.pick(
                format!("{task} is offered to {worker}{how}{reasons}"),
                format!("{task}を{worker}に呼び出し{how}{reasons}"),
            );
            let told = Told::new("offered", words).task(task);
            offers
                .iter()
                .fold(told, |told, offer| told.worker(&offer.worker))
        }
        Decision::TaskDropped { task, why, .. } => {
            let why = left(*why, language);
            let words = language.pick(
                format!("{task} is given up: {why}"),
                format!("{task}を断念: {why}"),
            );
            Told::new("task_dropped", words).task(task)
        }
    }
}

/// What put the one chosen before the others; `idle` in seconds.
fn chosen_by(by: ChosenBy, idle: u64, language: Language) -> String {
    let (english, japanese) = match by {
        ChosenBy::LongestIdle => {
            return language.pick(
                format!("idle longest ({idle} s)"),
                format!("最長({idle}秒)"),
            );
        }
        ChosenBy::Attributes => ("first by attributes", "属性の順で先頭"),
        ChosenBy::Chance => ("drawn by chance", "無作為に選択"),
        ChosenBy::LeastCalls => ("fewest calls today", "本日の応答が最少"),
        ChosenBy::LeastInHand => ("least in hand", "対応中の件数が最少"),
        ChosenBy::RoundRobin => ("his turn", "順番"),
        ChosenBy::Sticky => ("served the customer last", "前回の担当者"),
    };
    language.pick(english, japanese).to_owned()
}

/// A step, counted from 1 as people do.
fn step(at: At, language: Language) -> String {
    match at {
        At::Filter(filter, step) => {
            let (filter, step) = (filter + 1, step + 1);
            language.pick(
                format!("step {step} of filter {filter}"),
                format!("フィルター{filter}のステップ{step}"),
            )
        }
        At::Default => language
            .pick("the default step", "既定のステップ")
            .to_owned(),
    }
}

fn moved(why: MovedWhy, language: Language) -> &'static str {
    match why {
        MovedWhy::Entered => language.pick("its rule matches", "ルールに一致"),
        MovedWhy::Skipped(SkippedWhy::NoMatch) => {
            language.pick("nobody matched before", "前のステップに該当者なし")
        }
        MovedWhy::Skipped(SkippedWhy::NoneOnDuty) => language.pick(
            "nobody was on duty before",
            "前のステップに勤務中の人がいない",
        ),
        MovedWhy::Skipped(SkippedWhy::SkipIf) => {
            language.pick("skip_if held before", "前のステップのskip_ifが成立")
        }
        MovedWhy::TimedOut => {
            language.pick("the time before was over", "前のステップの制限時間が経過")
        }
    }
}

/// Why a task left its workflow, in a few words.
pub fn left(why: LeftWhy, language: Language) -> &'static str {
    let japanese = match why {
        LeftWhy::TimeToLive => "有効期間の終了",
        LeftWhy::TooManyOffers => "呼び出し回数の上限",
        LeftWhy::Unmatched => "一致するルールなし",
        LeftWhy::WorkflowSkipped => "最後のステップに該当者なし",
        LeftWhy::WorkflowTimedOut => "最後のステップの制限時間が経過",
    };
    language.pick(why.words(), japanese)
}

/// Who else was there, as `; 2 talking, 1 not available`.
fn because(explanation: &Explanation, language: Language) -> String {
    let others = explanation.not_chosen.iter();
    let others = others.filter(|(reason, _)| **reason != NotChosen::IdleLessLong);
    let others: Vec<String> = others
        .map(|(why, count)| {
            let words = not_chosen(*why, language);
            language.pick(format!("{count} {words}"), format!("{words}{count}名"))
        })
        .collect();
    match others.is_empty() {
        true => String::new(),
        false => language.pick("; ", "。").to_owned() + &others.join(language.pick(", ", "、")),
    }
}

/// Why a worker was not chosen, in a few words.
pub fn not_chosen(why: NotChosen, language: Language) -> &'static str {
    let japanese = match why {
        NotChosen::IdleLessLong => "待機時間が短い",
        NotChosen::SeesLater => "表示待ち",
        NotChosen::OtherChannel => "別のチャネルに対応中",
        NotChosen::PhoneBusy => "電話が別の通話中",
        NotChosen::Leaving => "離席予定",
        NotChosen::NotForStep => "このステップの対象外",
        NotChosen::OfferedBefore => "直前に呼び出し済み",
        NotChosen::Paused => "電話の不調",
        NotChosen::WrapUp => "後処理中",
        NotChosen::Reserved => "別の呼び出し中",
        NotChosen::Talking => "通話中",
        NotChosen::Unavailable => "受付不可",
        NotChosen::Unreachable => "電話が未登録",
        NotChosen::NotInQueue => "キューの対象外",
        NotChosen::Removed => "プランから削除済み",
    };
    language.pick(why.words(), japanese)
}

fn nobody(why: NobodyWhy, language: Language) -> &'static str {
    match why {
        NobodyWhy::NoMatch => language.pick("nobody matches", "条件に合う人がいない"),
        NobodyWhy::NoneOnDuty => language.pick("nobody is on duty", "勤務中の人がいない"),
    }
}

fn rejection(why: Rejection, language: Language) -> String {
    let (english, japanese) = match why {
        Rejection::Busy => ("busy", "話中"),
        Rejection::ByApi => ("rejected by the API", "APIで辞退"),
        Rejection::Declined => ("declined", "拒否"),
        Rejection::Failed(status) => {
            return language.pick(format!("failed ({status})"), format!("失敗({status})"));
        }
        Rejection::NoAnswer => ("no answer", "応答なし"),
        Rejection::Unreachable => ("unreachable", "到達不可"),
    };
    language.pick(english, japanese).to_owned()
}
