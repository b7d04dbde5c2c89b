//! Random flows, random callers, random answers of everybody else: every call ends, nothing is left
//! over, and the record has the way that was gone, which is one that the flow has.
//!
//! `SIMULATION_SEEDS=10` goes ten times as far.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;
use tsunagu::base::Entropy;
use tsunagu::call::Subject;
use tsunagu::flow::Reply;

use crate::office::changed;
use crate::peer::Manners;
use crate::script::{CUSTOMER, OFFICE, seeds};
use crate::world::World;

/// A flow, and the ways from each of its steps.
struct Map {
    text: String,
    ways: BTreeMap<String, BTreeSet<String>>,
}

/// Steps of one flow, the end left out.
const MOST_STEPS: u64 = 9;
/// Until then everybody has hung up.
const LONGEST_TALK_MS: u64 = 90_000;

impl Map {
    /// Each step leads to the next one, and to later ones or the end: nothing is unreachable, and
    /// nobody walks in circles but in a loop.
    fn draw(chance: &mut Entropy) -> Self {
        let count = 2 + chance.below(MOST_STEPS - 1);
        let mut map = Self {
            text: "start = \"s0\"\nexpects = [\"owner\"]\n".to_owned(),
            ways: BTreeMap::new(),
        };
        for n in 0..count {
            let next = name(n + 1, count);
            let later = (0..2).map(|_| name(n + 1 + chance.below(count - n), count));
            let later: Vec<String> = later.collect();
            let body = step(chance, &next, (&later[0], &later[1]), n);
            let ways = [next, later[0].clone(), later[1].clone()];
            let _ = write!(map.text, "[steps.s{n}]\n{body}\n");
            map.ways.insert(format!("s{n}"), ways.into());
        }
        let _ = write!(map.text, "[steps.end]\ndo = \"hangup\"\n");
        map
    }

    /// The first step that was not to be reached from the one before it.
    fn astray(&self, steps: &[String]) -> Option<String> {
        if steps.first().is_some_and(|first| first != "s0") {
            return steps.first().cloned();
        }
        let pairs = steps.windows(2);
        let mut wrong = pairs.filter(|pair| {
            !self
                .ways
                .get(&pair[0])
                .is_some_and(|ways| ways.contains(&pair[1]))
        });
        wrong
            .next()
            .map(|pair| format!("{} after {}", pair[1], pair[0]))
    }
}

fn name(step: u64, count: u64) -> String {
    match step < count {
        true => format!("s{step}"),
        false => "end".to_owned(),
    }
}

/// A step that leads to `next`, and perhaps to two others.
fn step(chance: &mut Entropy, next: &str, (other, third): (&str, &str), n: u64) -> String {
    let phone = ["1005", "1006", "1009", "00312345678"][chance.below(4) as usize];
    let queue = ["sales", "support"][chance.below(2) as usize];
    let dial = ["dial", "transfer"][chance.below(2) as usize];
    match chance.below(17) {
        0 => format!("do = \"play\"\nsounds = [\"connecting\"]\nnext = \"{next}\""),
        1 => format!("do = \"say\"\nnumber = \"4711\"\nnext = \"{next}\""),
        2 => format!(
            "do = \"menu\"\nprompt = [\"menu\"]\nchoices = {{ 1 = \"{next}\", 2 = \"{other}\", 34 = \"{third}\" \
             }}\ntries = 2\ntimeout = \"2s\"\nfailed = \"{third}\""
        ),
        3 => format!(
            "do = \"collect\"\nprompt = [\"menu\"]\nmax = 3\ninto = \"n{n}\"\ntimeout = \"2s\"\ntries = \
             2\nnext = \"{next}\"\nfailed = \"{other}\""
        ),
        4 => format!(
            "do = \"set\"\nattributes = {{ a{n} = \"{{{{ call.from }}}}\" }}\nnext = \"{next}\""
        ),
        5 => format!(
            "do = \"branch\"\ncases = [{{ if = \"attributes.owner == 'sato'\", next = \"{other}\" \
             }}]\notherwise = \"{next}\""
        ),
        6 => format!(
            "do = \"split\"\nshares = [{{ percent = 60, next = \"{next}\" }}, {{ percent = 40, next = \
             \"{other}\" }}]"
        ),
        7 => format!("do = \"pause\"\nlength = \"1500ms\"\nnext = \"{next}\""),
        8 => format!("do = \"language\"\nlanguage = \"en\"\nnext = \"{next}\""),
        9 => format!(
            "do = \"queue_status\"\nqueue = \"{queue}\"\ncases = [{{ if = \"queue.available > 0\", next = \
             \"{other}\" }}]\notherwise = \"{next}\"\nerror = \"{third}\""
        ),
        10 => format!(
            "do = \"hours\"\ncalendar = \"clinic\"\nopen = \"{next}\"\nclosed = \"{other}\"\nerror = \"{third}\""
        ),
        11 => format!(
            "do = \"http\"\nendpoint = \"crm\"\ntimeout = \"3s\"\ngives = [\"owner\"]\nnext = \
             \"{next}\"\nerror = \"{other}\""
        ),
        12 => format!(
            "do = \"lookup\"\ntable = \"bookings\"\nkey = \"{{{{ call.from }}}}\"\nmerge = false\nnext = \
             \"{next}\"\nmissing = \"{other}\"\nerror = \"{third}\""
        ),
        13 => {
            let after = if dial == "dial" {
                format!("\nafter = \"{next}\"")
            } else {
                String::new()
            };
            format!(
                "do = \"{dial}\"\nnumber = \"{phone}\"\nring_timeout = \"4s\"\nfailed = \"{next}\"{after}"
            )
        }
        14 => format!(
            "do = \"queue\"\nqueue = \"{queue}\"\nnobody = \"{next}\"\ntimeout = \"{other}\"\nafter = \"{third}\""
        ),
        15 => format!(
            "do = \"record\"\ninto = \"r{n}\"\nlongest = \"5s\"\nsilence = \"2s\"\nnext = \"{next}\"\nerror = \"{other}\""
        ),
        _ => format!(
            "do = \"voicemail\"\nmailbox = \"sales\"\nnext = \"{next}\"\nerror = \"{other}\""
        ),
    }
}

/// Whoever may be rung does as he likes.
fn manners(chance: &mut Entropy) -> Manners {
    match chance.below(6) {
        0 => Manners::Answers(300),
        1 => Manners::Early(900),
        2 => Manners::Refuses(486),
        3 => Manners::Refuses(603),
        4 => Manners::Regrets(700, 480),
        _ => Manners::Rings,
    }
}

/// How many steps callers came to.
fn wander(seed: u64) -> usize {
    let mut chance = Entropy::from_seed(seed);
    let map = Map::draw(&mut chance);
    let main = include_str!("../../config/flows/main.toml");
    let endpoint = "[[endpoint]]\nname = \"crm\"\nurl = \"https://crm.example/\"\n# requests = 200";
    let office = changed(&[
        ("flows/main.toml", main, &map.text),
        ("webhooks.toml", "# requests = 200", endpoint),
    ]);
    let mut world = World::with(seed, office);
    let carrier = world.carrier();
    for number in ["1001", "1002", "1005", "1006"] {
        let manners = manners(&mut chance);
        world.phone(number, manners);
    }
    let calls = 1 + chance.below(3) as usize;
    for _ in 0..calls {
        world.with_peer(carrier, |peer, now| peer.call(now, OFFICE, CUSTOMER));
        world.run_for(chance.below(3000));
    }
    let mut elapsed = 0;
    while elapsed < LONGEST_TALK_MS {
        let slot = 100 + chance.below(1500);
        elapsed += slot;
        world.run_for(slot);
        answer(&mut world, &mut chance);
        act(&mut world, &mut chance, carrier);
        if chance.below(60) == 0 {
            world.restart();
        }
        if world.peers.iter().all(|peer| peer.live() == 0) {
            break;
        }
    }
    for peer in 0..world.peers.len() {
        for talk in 0..world.peers[peer].talks.len() {
            world.hang_up(peer, talk);
        }
    }
    world.finish();
    let mut passed = 0;
    let (mut wandered, records) = (0, world.records.iter());
    for record in records.filter(|record| !record.steps.is_empty()) {
        let steps: Vec<String> = record.steps.iter().map(|step| step.step.clone()).collect();
        let story = || format!("seed {seed}\n{}\n{}", map.text, world.tell());
        assert_eq!(map.astray(&steps), None, "{}", story());
        wandered += 1;
        passed += steps.len();
    }
    assert!(wandered <= calls, "seed {seed}");
    passed
}

/// The user's application, when it likes to.
fn answer(world: &mut World, chance: &mut Entropy) {
    for inquiry in std::mem::take(&mut world.inquiries) {
        let reply = match (&inquiry.subject, chance.below(3)) {
            (_, 0) => continue,
            (Subject::Endpoint { .. }, 1) => Reply::Data(json!({"owner": "sato", "x": [1, 2]})),
            _ => Reply::Failed("refused: nobody listens".to_owned()),
        };
        let now = world.now;
        let exchange = &mut world.switch.exchange;
        exchange.told(now, &inquiry.call, inquiry.request, &reply);
        world.collect();
    }
}

/// Somebody presses a key, hangs up, or does nothing.
fn act(world: &mut World, chance: &mut Entropy, carrier: usize) {
    let peer = match chance.below(3) {
        0 => chance.below(world.peers.len() as u64) as usize,
        _ => carrier,
    };
    let talks = world.peers[peer].talks.len() as u64;
    if talks == 0 {
        return;
    }
    let talk = chance.below(talks) as usize;
    match chance.below(10) {
        0 => world.hang_up(peer, talk),
        1..=4 => {
            let key = b"123450#*"[chance.below(8) as usize] as char;
            world.peers[peer].talks[talk].voice.press(&key.to_string());
        }
        _ => {}
    }
}

#[test]
fn random_flows_and_random_callers_leave_nothing_behind() {
    let steps: usize = seeds(90, 24).map(wander).sum();
    let flows = seeds(90, 24).count();
    assert!(
        steps > 3 * flows,
        "{steps} steps in {flows} flows: nobody wanders"
    );
}
