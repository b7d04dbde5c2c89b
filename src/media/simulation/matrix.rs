//! Who hears whom, whatever was done to rooms: always the matrix that the roles demand.
//!
//! Every member sends a tone of its own. After each operation what each member is sent is searched
//! for all tones.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::base::RecordingId;
use crate::media::mixer::Gain;
use crate::media::{Decoder, Role, RoomTerms, Sound, Tape};

/// As many as are heard at once in a mix, so that nobody is left out for being too soft.
const LEGS: usize = 5;
const ROOMS: usize = 2;
/// What is between an operation and the time of listening: voices are to be in the jitter buffers.
const SETTLE_FRAMES: usize = 9;
/// Tones of music and announcements.
const MUSIC_HZ: f64 = 3000.0;
const ANNOUNCED_HZ: f64 = 3300.0;
/// Between what is heard, at -19 dB, and what a G.711 leaves of others.
const HEARD: f64 = -26.0;
const UNHEARD: f64 = -38.0;
/// The same where some have Opus, whose own noise, as something new begins, is -36.4 dB at a tone
/// that nobody makes: seen in 10,000 sequences; and -26.7 dB, once, one that somebody does.
const HEARD_WITH_OPUS: f64 = -29.0;
const UNHEARD_WITH_OPUS: f64 = -33.0;

/// One operation.
#[derive(Clone, Debug)]
enum Step {
    Announce(usize),
    Codec(usize, Codec),
    Cut(usize, usize, bool),
    Hold(usize, bool),
    Join(usize, usize, Standing),
    Leave(usize),
    Move(usize, usize),
    Record(usize, usize),
    Stand(usize, Standing),
    StopRecord(usize),
    Terms(usize, RoomTerms),
}

fn standing() -> impl Strategy<Value = Standing> {
    let leg = || (0..LEGS).prop_map(leg_id);
    let role = prop_oneof![
        5 => Just(Role::Normal),
        1 => Just(Role::Listener),
        2 => leg().prop_map(Role::Coach),
    ];
    let whisper = prop_oneof![5 => Just(None), 1 => leg().prop_map(Some)];
    (role, prop::bool::weighted(0.2), whisper).prop_map(|(role, muted, whispers_to)| Standing {
        role,
        muted,
        whispers_to,
    })
}

fn step(codecs: &'static [Codec]) -> impl Strategy<Value = Step> {
    let (leg, room) = (|| 0..LEGS, || 0..ROOMS);
    let codec = prop::sample::select(codecs);
    let terms = (any::<bool>(), any::<bool>()).prop_map(|(levelling, tells_talkers)| RoomTerms {
        levelling,
        tells_talkers,
    });
    prop_oneof![
        1 => room().prop_map(Step::Announce),
        1 => (leg(), codec).prop_map(|(leg, codec)| Step::Codec(leg, codec)),
        1 => (leg(), leg(), any::<bool>()).prop_map(|(from, to, on)| Step::Cut(from, to, on)),
        2 => (leg(), any::<bool>()).prop_map(|(leg, on)| Step::Hold(leg, on)),
        6 => (leg(), room(), standing()).prop_map(|(leg, room, standing)| {
            // Most meet in the first room.
            Step::Join(leg, room * usize::from(leg == 0), standing)
        }),
        2 => leg().prop_map(Step::Leave),
        1 => (room(), 0usize..2).prop_map(|(room, worker)| Step::Move(room, worker)),
        1 => (room(), leg()).prop_map(|(room, leg)| Step::Record(room, leg)),
        3 => (leg(), standing()).prop_map(|(leg, standing)| Step::Stand(leg, standing)),
        1 => room().prop_map(Step::StopRecord),
        1 => (room(), terms).prop_map(|(room, terms)| Step::Terms(room, terms)),
    ]
}

fn leg_id(leg: usize) -> LegId {
    LegId(leg as u64 + 1)
}

fn room_id(room: usize) -> RoomId {
    RoomId(room as u64)
}

fn tone_hz(leg: usize) -> f64 {
    500.0 + 400.0 * leg as f64
}

fn sound(hz: f64) -> Arc<Sound> {
    let mut samples = vec![0; 50 * FRAME_SAMPLES];
    Tone::new(hz, -16.0).fill(&mut samples);
    Arc::new(Sound::new("tone", samples))
}

/// What is true of a member, by the operations alone.
#[derive(Clone, Copy, Debug, Default)]
struct Believed {
    room: Option<usize>,
    standing: Standing,
    is_held: bool,
}

/// The engine, its far ends, and what they should hear.
struct World {
    office: Office,
    phones: Vec<Phone>,
    members: [Believed; LEGS],
    /// Who is not to hear whom: from, to.
    cuts: BTreeSet<(usize, usize)>,
    recordings: u64,
    running: [Option<RecordingId>; ROOMS],
    announced: Option<usize>,
    music: Arc<Sound>,
    announcement: Arc<Sound>,
    /// Levels above which a tone is heard, and below which it is not, dB.
    limits: (f64, f64),
    /// What each hears with: a decoder goes on from packet to packet.
    ears: Vec<Decoder>,
    /// Every packet that was sent, and when.
    transcript: DefaultHasher,
    _directory: tempfile::TempDir,
}

impl World {
    fn new(codecs: &[Codec]) -> Self {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().to_owned();
        let office = Office::with(|config| config.recordings = path);
        let mut phones = Vec::new();
        for leg in 0..LEGS {
            let codec = codecs[leg % codecs.len()];
            let mut phone = office.phone(leg as u16 + 1, codec);
            phone.tone = Tone::new(tone_hz(leg), -16.0);
            phones.push(phone);
        }
        for room in 0..ROOMS {
            office.send(Command::OpenRoom {
                room: room_id(room),
            });
        }
        let limits = match codecs.contains(&Codec::Opus) {
            true => (HEARD_WITH_OPUS, UNHEARD_WITH_OPUS),
            false => (HEARD, UNHEARD),
        };
        Self {
            limits,
            ears: phones
                .iter()
                .map(|phone| Decoder::new(phone.codec))
                .collect(),
            office,
            phones,
            members: [Believed::default(); LEGS],
            cuts: BTreeSet::new(),
            recordings: 0,
            running: Default::default(),
            announced: None,
            music: sound(MUSIC_HZ),
            announcement: sound(ANNOUNCED_HZ),
            transcript: DefaultHasher::new(),
            _directory: directory,
        }
    }

    /// Does one thing, and believes what follows from it.
    fn step(&mut self, step: &Step) {
        let office = &self.office;
        match *step {
            Step::Announce(room) => {
                self.announced = Some(room);
                office.send(Command::Announce {
                    room: room_id(room),
                    sounds: vec![self.announcement.clone()],
                });
            }
            Step::Codec(leg, codec) => {
                self.phones[leg].codec = codec;
                if self.ears[leg].codec() != codec {
                    self.ears[leg] = Decoder::new(codec);
                }
                let flow = self.phones[leg].flow();
                let leg = leg_id(leg);
                office.send(Command::SetLeg { leg, flow });
            }
            Step::Cut(from, to, on) => {
                let Some(room) = self.members[from].room else {
                    return;
                };
                if from == to || self.members[to].room != Some(room) {
                    return;
                }
                if on {
                    self.cuts.insert((from, to));
                } else {
                    self.cuts.remove(&(from, to));
                }
                office.send(Command::SetGain {
                    room: room_id(room),
                    from: leg_id(from),
                    to: leg_id(to),
                    gain: if on { Gain::SILENT } else { Gain::UNITY },
                });
            }
            Step::Hold(leg, on) => {
                if let Some(room) = self.members[leg].room {
                    self.members[leg].is_held = on;
                    office.send(Command::HoldMusic {
                        room: room_id(room),
                        leg: leg_id(leg),
                        sound: on.then(|| self.music.clone()),
                    });
                }
            }
            Step::Join(leg, room, standing) => {
                office.send(Command::Join {
                    room: room_id(room),
                    leg: leg_id(leg),
                    standing,
                });
                if self.members[leg].room != Some(room) {
                    self.forget(leg);
                    self.members[leg] = Believed {
                        room: Some(room),
                        standing,
                        is_held: false,
                    };
                }
            }
            Step::Leave(leg) => {
                if let Some(room) = self.members[leg].room {
                    office.send(Command::Leave {
                        room: room_id(room),
                        leg: leg_id(leg),
                    });
                    self.forget(leg);
                }
            }
            Step::Move(room, worker) => office.send(Command::Migrate {
                room: room_id(room),
                worker,
            }),
            Step::Record(room, leg) => self.record(room, leg),
            Step::Stand(leg, standing) => {
                if let Some(room) = self.members[leg].room {
                    self.members[leg].standing = standing;
                    office.send(Command::SetMember {
                        room: room_id(room),
                        leg: leg_id(leg),
                        standing,
                    });
                }
            }
            Step::StopRecord(room) => {
                if let Some(recording) = self.running[room].take() {
                    let at = at(office.now);
                    office.send(Command::StopRecord { recording, at });
                }
            }
            Step::Terms(room, terms) => office.send(Command::SetRoom {
                room: room_id(room),
                terms,
            }),
        }
    }

    fn record(&mut self, room: usize, left: usize) {
        if self.running[room].is_some() {
            return;
        }
        self.recordings += 1;
        let recording = RecordingId::new(format!("r{}", self.recordings));
        self.running[room] = Some(recording.clone());
        self.office.send(Command::Record {
            recording,
            room: room_id(room),
            left: leg_id(left),
            right: vec![],
            at: at(self.office.now),
            tape: Tape {
                stem: format!("r{}", self.recordings),
                channels: vec!["l".to_owned(), "r".to_owned()],
                labels: Default::default(),
                format: None,
            },
        });
    }

    fn forget(&mut self, leg: usize) {
        self.members[leg] = Believed::default();
        self.cuts.retain(|(from, to)| *from != leg && *to != leg);
    }

    /// Whether a listener is to hear a speaker.
    fn demanded(&self, speaker: usize, listener: usize) -> bool {
        let (says, hears) = (&self.members[speaker], &self.members[listener]);
        let meets = says.room.is_some() && says.room == hears.room && speaker != listener;
        let standing = &says.standing;
        let is_meant = match (standing.role, standing.whispers_to) {
            (Role::Listener, _) => false,
            (Role::Coach(whom), _) | (Role::Normal, Some(whom)) => whom == leg_id(listener),
            (Role::Normal, None) => true,
        };
        let is_cut = self.cuts.contains(&(speaker, listener));
        meets && is_meant && !is_cut && !standing.muted && !says.is_held && !hears.is_held
    }

    /// Lets everybody speak, and returns the last that each was sent.
    fn listen(&mut self) -> Vec<Vec<i16>> {
        for _ in 0..SETTLE_FRAMES {
            for (place, phone) in self.phones.iter_mut().enumerate() {
                phone.speak_at(at(self.office.now + 1 + 4 * place as i64));
            }
            self.office.run(20);
        }
        let mut heard = Vec::new();
        for (phone, ear) in self.phones.iter().zip(&mut self.ears) {
            let got = phone.got();
            for got in &got {
                (got.at.as_micros(), got.header.sequence).hash(&mut self.transcript);
                (got.header.timestamp, got.header.ssrc).hash(&mut self.transcript);
                (got.header.payload_type, &got.payload).hash(&mut self.transcript);
            }
            let now = at(self.office.now);
            let fresh = got.len().saturating_sub(2);
            let mut samples = Vec::new();
            for (place, got) in got.iter().enumerate() {
                let mut frame = [0; MAX_FRAME];
                let length = ear.decode(&got.payload, &mut frame);
                if place >= fresh && now.since(got.at).as_millis() < 60 {
                    // As many samples of 8 kHz: there is nothing above 4 kHz in it.
                    let ratio = length / FRAME_SAMPLES;
                    samples.extend(frame[..length].iter().step_by(ratio.max(1)));
                }
            }
            heard.push(samples);
        }
        heard
    }

    /// Compares what everybody hears with what it should.
    fn check(&mut self) {
        let heard = self.listen();
        for (listener, samples) in heard.iter().enumerate() {
            let believed = &self.members[listener];
            let is_there = believed.room.is_some();
            let mut expected = vec![
                (MUSIC_HZ, believed.is_held),
                (
                    ANNOUNCED_HZ,
                    is_there && believed.room == self.announced && !believed.is_held,
                ),
            ];
            let speakers = 0..LEGS;
            expected.extend(speakers.map(|n| (tone_hz(n), self.demanded(n, listener))));
            for (hz, demanded) in expected {
                let level = level(samples, hz);
                let (heard, unheard) = self.limits;
                let is_right = if demanded {
                    level > heard
                } else {
                    level < unheard
                };
                assert!(
                    is_right,
                    "{listener} hears {hz} Hz at {level:.1} dB, demanded: {demanded}; {:#?} {:?}",
                    self.members, self.cuts
                );
            }
        }
        if let Some(room) = self.announced.take() {
            self.office.send(Command::Announce {
                room: room_id(room),
                sounds: Vec::new(),
            });
        }
    }
}

/// Runs a sequence in a room that the first few are in already; the sum of all that was sent.
fn run(codecs: &[Codec], first: usize, steps: &[Step]) -> u64 {
    let mut world = World::new(codecs);
    let joins = (0..first).map(|leg| Step::Join(leg, 0, Standing::default()));
    for step in joins {
        world.step(&step);
    }
    for step in steps {
        world.step(step);
        world.check();
    }
    world.transcript.finish()
}

/// How many sequences: a few in passing, ten thousand when asked for.
fn sequences(usual: u32) -> u32 {
    let asked = std::env::var("MATRIX_SEQUENCES").ok();
    asked.and_then(|asked| asked.parse().ok()).unwrap_or(usual)
}

/// Runs so many sequences among members of these codecs, which some of them change.
fn try_sequences(usual: u32, codecs: &'static [Codec]) {
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(sequences(usual))
    };
    let mut runner = TestRunner::new(config);
    let sequence = (0..=LEGS, prop::collection::vec(step(codecs), 1..10), 0..8u8);
    let outcome = runner.run(&sequence, |(first, steps, die)| {
        let sent = run(codecs, first, &steps);
        // Every packet of a second run is the first one's, bit for bit.
        prop_assert!(
            die != 0 || run(codecs, first, &steps) == sent,
            "the second run differs"
        );
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn who_hears_whom_is_always_what_the_roles_demand() {
    try_sequences(300, &[Codec::Pcmu, Codec::Pcma]);
}

#[test]
fn who_hears_whom_in_mixed_codecs_is_what_the_roles_demand() {
    try_sequences(40, &[Codec::Opus, Codec::Pcmu, Codec::G722, Codec::Pcma]);
}

/// Each that comes or goes changes the room's rate: every order of the last to come and the first to
/// go among members of all codecs.
#[test]
fn whoever_comes_or_goes_the_others_hear_each_other_at_the_rooms_new_rate() {
    const ALL: [Codec; 4] = [Codec::Opus, Codec::Pcmu, Codec::G722, Codec::Pcma];
    for shift in 0..ALL.len() {
        let mut codecs = ALL;
        codecs.rotate_left(shift);
        for first in 2..=LEGS {
            for gone in 0..first {
                run(&codecs, first, &[Step::Leave(gone)]);
            }
        }
    }
}

#[test]
fn two_thousand_all_talking_hear_the_loudest_and_never_themselves() {
    const MEMBERS: u16 = 2000;
    const FRAMES: usize = 20;
    let mut office = Office::with(|config| {
        config.ports = 20_000..=28_999;
        config.max_legs = 2100;
    });
    office.send(Command::OpenRoom { room: ROOM });
    let mut phones = Vec::new();
    for number in 0..MEMBERS {
        let mut phone = office.phone(number + 1, Codec::Pcmu);
        // Five loud ones in the midst of a murmur.
        let loud = number / 400;
        let is_loud = number % 400 == 200;
        let hz = if is_loud {
            tone_hz(usize::from(loud))
        } else {
            2900.0
        };
        phone.tone = Tone::new(hz, if is_loud { -16.0 } else { -40.0 });
        office.join(&phone);
        phones.push(phone);
        if number % 200 == 0 {
            office.run(20);
        }
    }
    office.run(20);
    phones.iter().for_each(|phone| drop(phone.got()));
    for _ in 0..FRAMES {
        for phone in &mut phones {
            phone.speak_at(at(office.now + 3));
        }
        office.run(20);
    }
    for (number, phone) in phones.iter().enumerate() {
        let got = phone.got();
        assert_eq!(got.len(), FRAMES, "{number} was sent a frame at every tick");
        let heard = super::listen(phone.codec, &got);
        let last = &heard[heard.len() - 320..];
        for loud in 0..5 {
            let is_itself = number == 400 * loud + 200;
            let level = level(last, tone_hz(loud));
            assert_eq!(
                level > HEARD,
                !is_itself,
                "{number} hears {loud} at {level}"
            );
        }
        assert!(level(last, 2900.0) < -50.0, "{number} hears the murmur");
    }
}
