//! One question to a caller: prompt, digits, timeouts, retries.
//!
//! The machine knows neither RTP nor SIP: it is told digits, the end of what it asked to be
//! played and the time, and says what to play next and how it ended.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::late::LateTerminator;
use crate::base::Timestamp;

/// What to ask and how patiently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Sounds of the question; empty asks silently.
    pub prompt: Vec<String>,
    /// What a key during the prompt does.
    pub barge_in: BargeIn,
    /// Which answers are good.
    pub accept: Accept,
    /// Keys that end the answer without being part of it, unless an answer contains them.
    pub terminators: BTreeSet<char>,
    /// Silence allowed from the end of the prompt to the first key.
    pub first_digit: Duration,
    /// Silence allowed between keys.
    pub inter_digit: Duration,
    /// How often to ask in all; 0 counts as 1.
    pub tries: u32,
    /// Said before asking again when nothing was pressed.
    pub no_input: Vec<String>,
    /// Said before asking again when the answer was not among those accepted.
    pub no_match: Vec<String>,
    /// The answer is not to be shown or stored: a question that is stored and read back has
    /// forgotten the keys so far.
    #[serde(default)]
    pub secure: bool,
    /// What the whole answer must look like, as [`pattern`] reads it; anything when `None`.
    #[serde(default)]
    pub pattern: Option<String>,
}

/// Reads what an answer must look like: a regular expression for all of it. The error says what
/// is wrong with the text.
pub fn pattern(text: &str) -> Result<regex_lite::Regex, regex_lite::Error> {
    regex_lite::RegexBuilder::new(&format!("^(?:{text})$"))
        .size_limit(PATTERN_SIZE)
        .build()
}

/// Most memory of a pattern: that of a few hundred digits and counts.
const PATTERN_SIZE: usize = 256 * 1024;

impl Question {
    /// A question for so many digits, that end with `#` or with silence: what the switch itself asks of
    /// people who know what they do.
    pub fn digits(prompt: Vec<String>, lengths: RangeInclusive<usize>) -> Self {
        Self {
            prompt,
            barge_in: BargeIn::Interrupts,
            accept: Accept::Digits {
                min: *lengths.start(),
                max: *lengths.end(),
            },
            terminators: BTreeSet::from(['#']),
            first_digit: Duration::from_secs(8),
            inter_digit: Duration::from_secs(4),
            tries: 2,
            no_input: Vec::new(),
            no_match: vec!["no-match".to_owned()],
            secure: false,
            pattern: None,
        }
    }
}

/// What a key pressed while the prompt plays does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BargeIn {
    /// It stops the prompt and counts as the first key.
    #[default]
    Interrupts,
    /// It is thrown away: the prompt must be heard.
    Ignored,
}

/// Which answers are good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// Any keys, from `min` to `max` of them.
    Digits {
        /// Fewest keys.
        min: usize,
        /// Most keys; the answer is taken as soon as it is this long.
        max: usize,
    },
    /// One of these; taken as soon as no longer one could be meant.
    OneOf(BTreeSet<String>),
}

/// How the question ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// A good answer.
    Digits(String),
    /// No good answer in all tries; why the last one failed.
    Failed(Failure),
}

/// Why one try failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nothing was pressed in time.
    NoInput,
    /// What was pressed is not accepted.
    NoMatch,
}

/// What the machine wants done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// Play these sounds one after the other and report their end.
    Play(Vec<String>),
    /// Stop what plays; its end need not be reported.
    StopPlay,
    /// The question is over; nothing follows.
    Done(Answer),
}

/// One question being asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Collect {
    question: Question,
    state: State,
    digits: Keys,
    tries_left: u32,
    deadline: Option<Timestamp>,
    outputs: VecDeque<Output>,
    /// What may still follow an answer that its length has ended.
    #[serde(default)]
    late: Option<LateTerminator>,
}

/// Keys of one try.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
struct Keys {
    text: String,
    /// The same of a secure question.
    #[serde(skip)]
    secret: String,
}

impl Keys {
    fn text(&self) -> &str {
        match self.secret.as_str() {
            "" => &self.text,
            secret => secret,
        }
    }

    fn push(&mut self, key: char, secure: bool) {
        match secure {
            true => self.secret.push(key),
            false => self.text.push(key),
        }
    }

    fn take(&mut self) -> String {
        let Self { text, secret } = std::mem::take(self);
        if secret.is_empty() { text } else { secret }
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}", self.text, "*".repeat(self.secret.len()))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Listening,
    Over,
    Prompting,
}

/// Longest a prompt may go on before its end is taken for lost. No prompt of ours is near it.
const PROMPT_LIMIT: Duration = Duration::from_secs(600);

/// Most keys kept of one answer, whatever the question allows; longer than any card number.
const MAX_DIGITS: usize = 64;

/// Whether `key` is one of the sixteen keys (RFC 4733 §3.2): `0`-`9`, `*`, `#`, `A`-`D`.
pub fn is_key(key: char) -> bool {
    matches!(key, '0'..='9' | '*' | '#' | 'A'..='D')
}

impl Collect {
    /// Asks for the first time.
    pub fn start(question: Question, now: Timestamp) -> Self {
        let mut collect = Self {
            tries_left: question.tries.max(1) - 1,
            question,
            state: State::Prompting,
            digits: Keys::default(),
            deadline: None,
            outputs: VecDeque::new(),
            late: None,
        };
        collect.ask(now, None);
        collect
    }

    /// The caller pressed a key. Anything that is not a key, or comes too late, is ignored.
    pub fn handle_digit(&mut self, now: Timestamp, key: char) {
        if self.state == State::Over || !is_key(key) {
            return;
        }
        if self.late.take().is_some_and(|late| late.is(now, key)) {
            return;
        }
        if self.state == State::Prompting {
            if self.question.barge_in == BargeIn::Ignored {
                return;
            }
            self.outputs.push_back(Output::StopPlay);
            self.state = State::Listening;
        }
        if self.is_terminator(key) {
            return self.judge(now);
        }
        self.digits.push(key, self.question.secure);
        if self.is_complete() {
            if !self.question.terminators.is_empty() {
                let until = now + self.question.inter_digit;
                let keys = self.question.terminators.clone();
                self.late = Some(LateTerminator::new(keys, until));
            }
            return self.judge(now);
        }
        self.deadline = Some(now + self.question.inter_digit);
    }

    /// Keys that were pressed before the question was asked. Gives back those behind its answer, which
    /// are for the next question; what follows a wrong answer is for none.
    pub fn handle_typed_ahead(&mut self, now: Timestamp, keys: &str) -> String {
        let tries_left = self.tries_left;
        let mut keys = keys.chars();
        while self.state != State::Over && self.tries_left == tries_left {
            match keys.next() {
                Some(key) => self.handle_digit(now, key),
                None => break,
            }
        }
        if !matches!(self.outputs.back(), Some(Output::Done(Answer::Digits(_)))) {
            return String::new();
        }
        let mut rest = keys.as_str();
        if let Some(key) = rest.chars().next()
            && self.late.take().is_some_and(|late| late.is(now, key))
        {
            rest = &rest[key.len_utf8()..];
        }
        rest.to_owned()
    }

    /// What may still follow the answer: to be asked when it is there.
    pub fn late_terminator(&self) -> Option<&LateTerminator> {
        self.late.as_ref()
    }

    /// What was last asked to be played has ended.
    pub fn handle_play_done(&mut self, now: Timestamp) {
        if self.state == State::Prompting {
            self.state = State::Listening;
            self.deadline = Some(now + self.question.first_digit);
        }
    }

    /// Time has passed; does nothing before [`Collect::poll_timeout`].
    pub fn handle_timeout(&mut self, now: Timestamp) {
        if self.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        match self.state {
            State::Over => self.deadline = None,
            State::Prompting => self.handle_play_done(now),
            State::Listening if self.digits.text().is_empty() => self.fail(now, Failure::NoInput),
            State::Listening => self.judge(now),
        }
    }

    /// When to call [`Collect::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.deadline
    }

    /// The next thing wanted.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn is_terminator(&self, key: char) -> bool {
        let part_of_an_answer = match &self.question.accept {
            Accept::Digits { .. } => false,
            Accept::OneOf(answers) => {
                let longer = format!("{}{key}", self.digits.text());
                answers.iter().any(|answer| answer.starts_with(&longer))
            }
        };
        !part_of_an_answer && self.question.terminators.contains(&key)
    }

    /// Whether nothing the caller may still press can change the verdict.
    fn is_complete(&self) -> bool {
        let digits = self.digits.text();
        match &self.question.accept {
            Accept::Digits { max, .. } => digits.len() >= (*max).clamp(1, MAX_DIGITS),
            Accept::OneOf(answers) => !answers
                .iter()
                .any(|answer| answer.len() > digits.len() && answer.starts_with(digits)),
        }
    }

    fn judge(&mut self, now: Timestamp) {
        let digits = self.digits.text();
        let good = match &self.question.accept {
            Accept::Digits { min, .. } => digits.len() >= *min && self.fits(digits),
            Accept::OneOf(answers) => answers.contains(digits),
        };
        if good {
            let digits = self.digits.take();
            self.finish(Answer::Digits(digits));
        } else {
            self.fail(now, Failure::NoMatch);
        }
    }

    /// Whether an answer looks as it must. Nothing fits a pattern that is none, which
    /// the configuration's checker refuses.
    fn fits(&self, digits: &str) -> bool {
        let wanted = self.question.pattern.as_deref().map(pattern);
        wanted.is_none_or(|wanted| wanted.is_ok_and(|it| it.is_match(digits)))
    }

    fn fail(&mut self, now: Timestamp, why: Failure) {
        if self.tries_left == 0 {
            return self.finish(Answer::Failed(why));
        }
        self.tries_left -= 1;
        self.ask(now, Some(why));
    }

    fn ask(&mut self, now: Timestamp, after: Option<Failure>) {
        self.digits.take();
        let mut sounds = match after {
            None => Vec::new(),
            Some(Failure::NoInput) => self.question.no_input.clone(),
            Some(Failure::NoMatch) => self.question.no_match.clone(),
        };
        sounds.extend(self.question.prompt.iter().cloned());
        if sounds.is_empty() {
            self.state = State::Listening;
            self.deadline = Some(now + self.question.first_digit);
        } else {
            self.state = State::Prompting;
            self.deadline = Some(now + PROMPT_LIMIT);
            self.outputs.push_back(Output::Play(sounds));
        }
    }

    fn finish(&mut self, answer: Answer) {
        self.state = State::Over;
        self.deadline = None;
        self.outputs.push_back(Output::Done(answer));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::ZERO + Duration::from_secs(seconds)
    }

    fn texts(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    fn menu(answers: &[&str]) -> Question {
        Question {
            prompt: texts(&["menu"]),
            barge_in: BargeIn::Interrupts,
            accept: Accept::OneOf(answers.iter().map(|&answer| answer.to_owned()).collect()),
            terminators: BTreeSet::new(),
            first_digit: Duration::from_secs(5),
            inter_digit: Duration::from_secs(3),
            tries: 3,
            no_input: texts(&["no-input"]),
            no_match: texts(&["no-match"]),
            secure: false,
            pattern: None,
        }
    }

    fn number(min: usize, max: usize) -> Question {
        Question {
            accept: Accept::Digits { min, max },
            terminators: BTreeSet::from(['#']),
            ..menu(&[])
        }
    }

    fn drain(collect: &mut Collect) -> Vec<Output> {
        std::iter::from_fn(|| collect.poll_output()).collect()
    }

    fn press(collect: &mut Collect, now: Timestamp, keys: &str) {
        for key in keys.chars() {
            collect.handle_digit(now, key);
        }
    }

    fn digits(text: &str) -> Output {
        Output::Done(Answer::Digits(text.to_owned()))
    }

    #[test]
    fn a_secret_answer_is_neither_shown_nor_stored() {
        let question = Question {
            secure: true,
            ..number(4, 4)
        };
        let mut collect = Collect::start(question, at(0));
        press(&mut collect, at(1), "987");
        let stored = serde_json::to_string(&collect).expect("stored");
        for shown in [format!("{collect:?}"), stored.clone()] {
            assert!(!shown.contains("98") && !shown.contains("\"9"), "{shown}");
        }
        let mut twin: Collect = serde_json::from_str(&stored).expect("read back");
        press(&mut collect, at(2), "6");
        assert!(drain(&mut collect).contains(&digits("9876")));
        // Who forgot them asks again.
        drain(&mut twin);
        twin.handle_timeout(at(60));
        assert_eq!(
            drain(&mut twin),
            [Output::Play(texts(&["no-input", "menu"]))]
        );
    }

    #[test]
    fn a_key_during_the_prompt_stops_it_and_counts() {
        let mut collect = Collect::start(menu(&["1", "2"]), at(0));
        assert_eq!(drain(&mut collect), [Output::Play(texts(&["menu"]))]);
        collect.handle_digit(at(1), '2');
        assert_eq!(drain(&mut collect), [Output::StopPlay, digits("2")]);
        assert_eq!(collect.poll_timeout(), None);
    }

    #[test]
    fn a_prompt_that_must_be_heard_ignores_keys() {
        let question = Question {
            barge_in: BargeIn::Ignored,
            ..menu(&["1"])
        };
        let mut collect = Collect::start(question, at(0));
        collect.handle_digit(at(1), '1');
        assert_eq!(drain(&mut collect), [Output::Play(texts(&["menu"]))]);
        collect.handle_play_done(at(2));
        collect.handle_digit(at(3), '1');
        assert_eq!(drain(&mut collect), [digits("1")]);
    }

    #[test]
    fn silence_is_asked_about_three_times_then_fails() {
        let mut collect = Collect::start(menu(&["1"]), at(0));
        for begin in [0, 10] {
            drain(&mut collect);
            collect.handle_play_done(at(begin));
            assert_eq!(collect.poll_timeout(), Some(at(begin + 5)));
            collect.handle_timeout(at(begin + 4));
            assert_eq!(drain(&mut collect), []);
            collect.handle_timeout(at(begin + 5));
            assert_eq!(
                drain(&mut collect),
                [Output::Play(texts(&["no-input", "menu"]))]
            );
        }
        collect.handle_play_done(at(20));
        collect.handle_timeout(at(25));
        assert_eq!(
            drain(&mut collect),
            [Output::Done(Answer::Failed(Failure::NoInput))]
        );
    }

    #[test]
    fn a_wrong_key_is_told_at_once() {
        let mut collect = Collect::start(menu(&["1"]), at(0));
        drain(&mut collect);
        collect.handle_digit(at(1), '7');
        assert_eq!(
            drain(&mut collect),
            [Output::StopPlay, Output::Play(texts(&["no-match", "menu"]))]
        );
        collect.handle_digit(at(2), '1');
        assert_eq!(drain(&mut collect), [Output::StopPlay, digits("1")]);
    }

    #[test]
    fn a_short_answer_waits_while_a_longer_one_may_be_meant() {
        let mut collect = Collect::start(menu(&["1", "12"]), at(0));
        drain(&mut collect);
        collect.handle_digit(at(1), '1');
        assert_eq!(drain(&mut collect), [Output::StopPlay]);
        assert_eq!(collect.poll_timeout(), Some(at(4)));
        collect.handle_timeout(at(4));
        assert_eq!(drain(&mut collect), [digits("1")]);
    }

    #[test]
    fn a_number_ends_by_length_by_terminator_or_by_silence() {
        for (keys, wait, expected) in [
            ("1234", 0, Some("1234")),
            ("12#", 0, Some("12")),
            ("12", 3, Some("12")),
            ("12", 2, None),
        ] {
            let mut collect = Collect::start(number(2, 4), at(0));
            drain(&mut collect);
            press(&mut collect, at(1), keys);
            collect.handle_timeout(at(1 + wait));
            let done = drain(&mut collect)
                .into_iter()
                .find(|output| *output != Output::StopPlay);
            assert_eq!(done, expected.map(digits), "{keys} and {wait} s");
        }
    }

    #[test]
    fn a_terminator_after_the_last_digit_is_no_answer_to_what_is_asked_next() {
        let question = Question {
            pattern: Some("[1-9]*".to_owned()),
            ..number(2, 4)
        };
        let again = Output::Play(texts(&["no-match", "menu"]));
        for (keys, later, expected) in [
            // It is late, but belongs to the number that is wrong ...
            ("0000", &[(2, '#')][..], vec![again.clone()]),
            // ... unless it is too late for that, or not the first.
            (
                "0000",
                &[(5, '#')],
                vec![again.clone(), Output::StopPlay, again.clone()],
            ),
            (
                "0000",
                &[(2, '#'), (2, '#')],
                vec![again.clone(), Output::StopPlay, again.clone()],
            ),
            (
                "0000",
                &[(2, '1'), (2, '#')],
                vec![again.clone(), Output::StopPlay, again.clone()],
            ),
        ] {
            let mut collect = Collect::start(question.clone(), at(0));
            press(&mut collect, at(1), keys);
            drain(&mut collect);
            let mut outputs = vec![again.clone()];
            for (second, key) in later {
                collect.handle_digit(at(*second), *key);
            }
            outputs.extend(drain(&mut collect));
            assert_eq!(outputs, expected, "{keys} {later:?}");
        }
        let mut collect = Collect::start(number(2, 4), at(0));
        press(&mut collect, at(1), "1234");
        let late = collect.late_terminator().expect("one may follow");
        assert!(late.is(at(4), '#') && !late.is(at(5), '#') && !late.is(at(2), '*'));
        let mut ended = Collect::start(number(2, 4), at(0));
        press(&mut ended, at(1), "123#");
        assert_eq!(ended.late_terminator(), None);
    }

    #[test]
    fn keys_typed_ahead_are_given_back_behind_the_answer() {
        for (keys, rest) in [
            ("12#34", "34"),
            ("123456", "56"),
            ("1234#56", "56"),
            ("1234##", "#"),
            ("12", ""),
            // Too short: what follows was not meant for this.
            ("1#234", ""),
        ] {
            let mut collect = Collect::start(number(2, 4), at(0));
            assert_eq!(collect.handle_typed_ahead(at(1), keys), rest, "{keys}");
        }
        let deaf = Question {
            barge_in: BargeIn::Ignored,
            ..menu(&["1"])
        };
        let mut collect = Collect::start(deaf, at(0));
        assert_eq!(collect.handle_typed_ahead(at(1), "11"), "");
    }

    #[test]
    fn what_does_not_look_as_it_must_is_no_match() {
        let question = Question {
            pattern: Some("0[1-9]{2}|99".to_owned()),
            ..number(2, 3)
        };
        for (keys, is_good) in [("012", true), ("99#", true), ("000", false), ("990", false)] {
            let mut collect = Collect::start(question.clone(), at(0));
            press(&mut collect, at(1), keys);
            let outputs = drain(&mut collect);
            let done = outputs.iter().any(|it| matches!(it, Output::Done(_)));
            assert_eq!(done, is_good, "{keys}");
        }
        assert!(pattern("(").is_err() && pattern("[0-9]{1000}{1000}").is_err());
    }

    #[test]
    fn too_few_digits_are_no_match() {
        let mut collect = Collect::start(number(3, 4), at(0));
        drain(&mut collect);
        press(&mut collect, at(1), "12#");
        assert_eq!(
            drain(&mut collect),
            [Output::StopPlay, Output::Play(texts(&["no-match", "menu"]))]
        );
    }

    #[test]
    fn a_terminator_that_is_an_answer_is_an_answer() {
        let question = Question {
            terminators: BTreeSet::from(['#']),
            ..menu(&["#"])
        };
        let mut collect = Collect::start(question, at(0));
        drain(&mut collect);
        collect.handle_digit(at(1), '#');
        assert_eq!(drain(&mut collect), [Output::StopPlay, digits("#")]);
    }

    #[test]
    fn a_prompt_whose_end_is_lost_does_not_hold_the_caller_forever() {
        let mut collect = Collect::start(menu(&["1"]), at(0));
        drain(&mut collect);
        collect.handle_timeout(at(600));
        collect.handle_timeout(at(605));
        assert_eq!(
            drain(&mut collect),
            [Output::Play(texts(&["no-input", "menu"]))]
        );
    }

    #[test]
    fn nothing_after_the_end_changes_it() {
        let mut collect = Collect::start(menu(&["1"]), at(0));
        drain(&mut collect);
        press(&mut collect, at(1), "1x1122##");
        collect.handle_play_done(at(2));
        collect.handle_timeout(at(1000));
        assert_eq!(drain(&mut collect), [Output::StopPlay, digits("1")]);
    }
}
