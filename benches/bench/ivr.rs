//! Five hundred callers in a menu at once, who do not wait for its end: what they cost, how soon a
//! step is heard, and how soon the next one after a key.
//!
//! Each of the five steps says a tone of its own pitch, so that whoever hears it knows the step.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::answers::{Answers, IN_TIME};
use crate::bars::{Bar, judge};
use crate::flows::{Flows, KeyPacket, People};
use crate::office::Office;
use crate::peer::{Ears, Pace, Peer, Plan};
use crate::statistics::p50_p99;

/// Callers of a trunk who press a key one to two seconds after each prompt began.
pub(crate) fn run() {
    let ears = Ears::bind();
    let files = files(&ears.carrier().to_string());
    let office = Office::with_sounds(&files, record_tones);
    let mut peer = Peer::new(ears, office.sip);
    let mut telephones = Flows::bind(CALLERS);
    peer.caller_media = telephones.addresses();
    let pace = Pace {
        calls: CALLERS,
        a_second: 100.0,
        hold: None,
    };
    peer.drive(pace, |n| Plan {
        from: from(n),
        to: "7000".to_owned(),
    });
    telephones.aim(&peer.ports_for_callers());
    let mut callers = Callers::new();
    // Who was answered first has heard the first prompt for seconds: by then everybody walks on.
    telephones.converse(SETTLE, &mut callers);
    let mut cpu = Vec::new();
    for _ in 0..WINDOWS {
        callers.begin_anew();
        let (before, begin) = (office.cpu_seconds(), Instant::now());
        telephones.converse(WINDOW, &mut callers);
        let seconds = begin.elapsed().as_secs_f64();
        cpu.push(100.0 * (office.cpu_seconds() - before) / seconds / CALLERS as f64);
    }
    // Whoever pressed a key at last hears what follows.
    callers.press_no_more = true;
    telephones.converse(IN_TIME + LAST_KEY, &mut callers);
    callers.answers.close();
    peer.end_all();
    report(&office, callers, &cpu);
}

fn report(office: &Office, mut callers: Callers, cpu: &[f64]) {
    let most = cpu.iter().copied().fold(0.0, f64::max);
    let steps = callers.answers.took.len();
    let slowest = callers
        .answers
        .took
        .iter()
        .max()
        .map_or(0.0, |most| *most as f64 / 1e6);
    let (p50, p99) = p50_p99(&mut callers.answers.took);
    println!(
        "ivr         {CALLERS} callers, {steps} steps by keys pressed while a prompt played: {most:.4} \
         % of a core for each caller; from the key's first packet to the next prompt p50 {:.1} ms, \
         p99 {:.1} ms, at most {slowest:.1} ms",
        p50 / 1000.0,
        p99 / 1000.0
    );
    judge("a caller's share of a core", most, "%", Bar::AtMost(0.06));
    judge(
        "key to next prompt, p99",
        p99 / 1000.0,
        "ms",
        Bar::AtMost(60.0),
    );
    judge(
        "keys without a next prompt",
        callers.answers.lost as f64,
        "of them",
        Bar::AtMost(0.0),
    );
    let least = callers.callers.iter().map(|one| one.begun.len()).min();
    judge(
        "steps of the slowest caller",
        least.unwrap_or(0) as f64,
        "steps",
        Bar::AtLeast(5.0),
    );
    let mut starts = starts(office, &callers);
    let count = starts.len();
    let (p50, p99) = p50_p99(&mut starts);
    println!(
        "ivr         {count} steps by the records: from the step to its prompt p50 {:.1} ms, p99 {:.1} ms",
        p50 / 1000.0,
        p99 / 1000.0
    );
    judge("step to prompt, p99", p99 / 1000.0, "ms", Bar::AtMost(40.0));
}

/// Nanoseconds from each step's time in the record to its first packet at the caller.
fn starts(office: &Office, callers: &Callers) -> Vec<u64> {
    let mut starts = Vec::new();
    for record in office.records(CALLERS) {
        let whose = record["from"].as_str().unwrap_or_default();
        let whose = (0..CALLERS).find(|n| whose.ends_with(&from(*n)[1..]));
        let Some(heard) = whose.map(|n| &callers.callers[n].begun) else {
            println!("  fault     a record of nobody: {}", record["from"]);
            continue;
        };
        let steps = record["steps"].as_array().cloned().unwrap_or_default();
        // The first prompts began before anybody listened.
        for (step, (pitch, heard)) in steps.iter().zip(heard).skip(1) {
            assert_eq!(step["step"], format!("step{pitch}"), "a step was not heard");
            let at = step["at"]
                .as_str()
                .and_then(|text| text.parse::<jiff::Timestamp>().ok());
            let at = at.expect("a time").as_nanosecond() as u64;
            starts.push(heard.saturating_sub(at));
        }
    }
    starts
}

struct Callers {
    callers: Vec<Caller>,
    /// What followed their keys.
    answers: Answers,
    /// Whether no key is begun any more.
    press_no_more: bool,
}

#[derive(Clone, Debug, Default)]
struct Caller {
    /// Prompts heard: which, and the nanosecond of the day's clock.
    begun: Vec<(usize, u64)>,
    /// When to press the next key.
    next: Option<Instant>,
    /// The key that is down: its timestamp and the packets sent.
    down: Option<(u32, u16)>,
}

impl Callers {
    fn new() -> Self {
        Self {
            callers: vec![Caller::default(); CALLERS],
            answers: Answers::default(),
            press_no_more: false,
        }
    }

    /// Telephones were put aside for a moment: what was under way is not counted.
    fn begin_anew(&mut self) {
        for caller in &mut self.callers {
            caller.next = caller.next.map(|_| Instant::now() + patience(caller));
        }
    }
}

impl People for Callers {
    fn press(&mut self, leg: usize, timestamp: u32) -> Option<KeyPacket> {
        let caller = &mut self.callers[leg];
        if caller.down.is_none() {
            let due = caller.next?;
            let now = Instant::now();
            if now < due || self.press_no_more {
                return None;
            }
            caller.next = None;
            self.answers.press(leg, now);
            caller.down = Some((timestamp, 0));
        }
        let (began, sent) = caller.down?;
        caller.down = (sent < LAST_PACKET).then_some((began, sent + 1));
        Some(KeyPacket {
            began,
            event: 1,
            is_first: sent == 0,
            // The last of it is said three times (RFC 4733 §2.5.1.4).
            is_over: sent + 2 >= LAST_PACKET,
            duration: 160 * (sent + 1).min(LAST_PACKET - 1),
        })
    }

    fn hear(&mut self, leg: usize, samples: &[u8]) {
        let caller = &mut self.callers[leg];
        let last = caller.begun.last().map(|(pitch, _)| *pitch);
        let awaited = last.map_or(1, |last| last % STEPS + 1);
        if caller.next.is_some() || pitch(samples) != Some(awaited) {
            return;
        }
        self.answers.hear(leg, Instant::now());
        let clock = SystemTime::now().duration_since(UNIX_EPOCH);
        let clock = clock.expect("after 1970").as_nanos() as u64;
        caller.begun.push((awaited, clock));
        caller.next = Some(Instant::now() + patience(caller));
    }
}

/// Nobody presses at the same time as all others.
fn patience(caller: &Caller) -> Duration {
    let clock = caller.begun.last().map_or(0, |(_, clock)| *clock);
    Duration::from_secs(1) + Duration::from_micros(clock.wrapping_mul(0x9e37_79b9) % 1_000_000)
}

/// The step whose tone this is: the tone of step 1 has 400 Hz, each further one 400 Hz more, and a
/// tone crosses zero twice in each period.
fn pitch(samples: &[u8]) -> Option<usize> {
    let crossings = samples
        .windows(2)
        .filter(|pair| (pair[0] ^ pair[1]) & 0x80 != 0)
        .count();
    let nearest = (crossings + 8) / 16;
    let is_near = crossings.abs_diff(nearest * 16) <= 3;
    (is_near && (1..=STEPS).contains(&nearest)).then_some(nearest)
}

fn record_tones(folder: &Path) {
    let format = hound::WavSpec {
        channels: 1,
        sample_rate: 8000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    for step in 1..=STEPS {
        let file = folder.join(format!("tone{step}.wav"));
        let mut file = hound::WavWriter::create(file, format).expect("a writable folder");
        for n in 0..LENGTH {
            let turn = std::f64::consts::TAU * 400.0 * step as f64 * f64::from(n) / 8000.0;
            file.write_sample((8000.0 * (turn + 0.1).sin()) as i16)
                .expect("room on the disk");
        }
        file.finalize().expect("room on the disk");
    }
}

fn from(caller: usize) -> String {
    format!("0901{caller:06}")
}

fn files(carrier: &str) -> Vec<(String, String)> {
    let trunk = format!(
        "[[trunk]]\nname = \"carrier\"\naccept = [\"127.0.0.0/16\"]\ntarget = \"udp:{carrier}\"\n"
    );
    let mut flow = "start = \"step1\"\n".to_owned();
    for step in 1..=STEPS {
        flow += &format!(
            "[steps.step{step}]\ndo = \"menu\"\nprompt = [\"tone{step}\"]\nchoices = {{ 1 = \
             \"step{}\", 9 = \"hangup\" }}\ntimeout = \"60s\"\nfailed = \"hangup\"\n",
            step % STEPS + 1
        );
    }
    let numbers = "[[inbound]]\nnumber = \"7000\"\nflow = \"menu\"\n";
    [
        ("trunks.toml", trunk),
        ("numbers.toml", numbers.to_owned()),
        ("flows/menu.toml", flow),
    ]
    .map(|(name, text)| (name.to_owned(), text))
    .to_vec()
}

const CALLERS: usize = 500;
const STEPS: usize = 5;
/// Samples of a tone: ten seconds.
const LENGTH: u32 = 80_000;
/// Packets of a key before the last two.
const LAST_PACKET: u16 = 6;
/// A key's packets, 20 ms apart.
const LAST_KEY: Duration = Duration::from_millis(20 * (LAST_PACKET as u64 + 2));
const SETTLE: Duration = Duration::from_secs(5);
const WINDOW: Duration = Duration::from_secs(5);
const WINDOWS: usize = 3;
