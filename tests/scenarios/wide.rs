//! Wide-band phones that are not ours: baresip in G.722 and in Opus hears and is heard above the
//! 4 kHz of a telephone line, alone with another, in a room with a G.711 phone, and after a menu.

use super::office::Office;
use super::phone::{Answering, Codec, Line, Phone};
use super::record::{assert_whole, list};
use super::sound::{chord, level_db_at, seconds_of};
use super::tap::Tap;
use super::{quiet, wait};

/// A baresip that says two tones: one that a telephone line carries, and one that it does not.
struct Voice {
    phone: Phone,
    codec: Codec,
    low: f64,
    high: f64,
}

impl Voice {
    #[track_caller]
    fn of(
        office: &Office,
        number: u16,
        codec: Codec,
        answering: Answering,
        (low, high): (f64, f64),
    ) -> Self {
        let line = Line {
            codec,
            ..Line::default()
        };
        let rate = f64::from(codec.sound().0);
        let mut phone = Phone::start_on(
            &line,
            &number.to_string(),
            office.phone_address(number),
            Some(office.sip()),
            answering,
            &chord(low, high, 120.0, rate),
            office.folder(),
        );
        phone.registered();
        Self {
            phone,
            codec,
            low,
            high,
        }
    }

    /// How loud a tone is in what the phone has decoded last, in half a second.
    fn level(&self, hz: f64) -> f64 {
        let rate = self.codec.sound().0;
        let heard = self.phone.heard().pop().unwrap_or_default();
        let half = heard.len().saturating_sub(rate as usize / 2);
        level_db_at(&heard[half..], hz, rate.into())
    }

    /// Waits until it hears a tone as loud as it is said, but for a few dB.
    #[track_caller]
    fn hears(&self, hz: f64) {
        let what = format!("{hz} Hz at the {:?} phone", self.codec);
        wait::until_true(&what, wait::PATIENCE, || self.level(hz) > HEARD);
    }

    /// A tone that leaks leaks always; what a busy machine lost is patched with a bit of everything.
    #[track_caller]
    fn does_not_hear(&self, hz: f64) {
        let what = format!(
            "half a second without {hz} Hz at the {:?} phone",
            self.codec
        );
        wait::until_true(&what, wait::PATIENCE, || self.level(hz) < SILENT);
    }
}

/// Two phones of one codec call each other; what both hear, and what the record says.
#[track_caller]
fn speak_wide(codec: Codec, (high, other_high): (f64, f64), name: &str) {
    if !codec.is_installed() {
        return;
    }
    let _turn = quiet::shared();
    let office = Office::open();
    let mut caller = Voice::of(&office, 1005, codec, Answering::Manual, (440.0, high));
    let mut callee = Voice::of(&office, 1006, codec, Answering::Auto, (620.0, other_high));
    caller.phone.dial("1006");
    caller.phone.event("CALL_ESTABLISHED");
    callee.phone.event("CALL_ESTABLISHED");
    for (ear, mouth) in [(&caller, &callee), (&callee, &caller)] {
        ear.hears(mouth.low);
        ear.hears(mouth.high);
        ear.does_not_hear(ear.high);
    }
    caller.phone.hang_up();
    callee.phone.event("CALL_CLOSED");
    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    for leg in list(&record["legs"]) {
        assert_eq!(leg["codec"], name, "{record:#}");
    }
}

#[test]
fn two_phones_in_g722_hear_what_no_telephone_line_carries() {
    speak_wide(Codec::G722, (5_000.0, 6_000.0), "G722");
}

#[test]
fn two_phones_in_opus_hear_what_no_telephone_line_carries() {
    speak_wide(Codec::Opus, (7_000.0, 11_000.0), "opus");
}

#[test]
fn a_room_of_g711_g722_and_opus_is_as_wide_as_each_can_hear() {
    if !Codec::G722.is_installed() || !Codec::Opus.is_installed() {
        return;
    }
    let _turn = quiet::shared();
    let office = Office::open();
    let voice = |number, codec, tones| Voice::of(&office, number, codec, Answering::Manual, tones);
    let mut members = [
        voice(1005, Codec::G722, (440.0, 5_000.0)),
        voice(1006, Codec::Opus, (620.0, 6_300.0)),
        voice(1007, Codec::G711, (1_010.0, 2_300.0)),
    ];
    for member in &mut members {
        member.phone.dial("3000");
        member.phone.event("CALL_ESTABLISHED");
    }
    let [g722, opus, g711] = &members;
    for ear in &members {
        for mouth in &members {
            match ear.codec == mouth.codec {
                true => ear.does_not_hear(mouth.low),
                false => ear.hears(mouth.low),
            }
        }
    }
    g722.hears(opus.high);
    opus.hears(g722.high);
    for ear in [g722, opus] {
        ear.hears(g711.high);
    }
    // What is too high for it does not come down folded.
    for mouth in [g722, opus] {
        g711.does_not_hear(8_000.0 - mouth.high);
    }
    for member in &mut members {
        member.phone.hang_up();
        member.phone.event("CALL_CLOSED");
    }
    for record in office.records(3) {
        assert_whole(&record, &office.recordings());
    }
}

#[test]
fn who_was_greeted_in_opus_speaks_g711_with_who_has_nothing_else() {
    if !Codec::Opus.is_installed() {
        return;
    }
    let _turn = quiet::shared();
    let mut office = Office::prepare();
    office.rewrite("flows/main.toml", |text| {
        text.replacen("next = \"menu\"", "next = \"sales\"", 1)
    });
    office.start();
    let tap = Tap::on(office.block);
    let tones = (440.0, 1_700.0);
    let mut caller = Voice::of(&office, 1005, Codec::OpusOrG711, Answering::Manual, tones);
    let tones = (620.0, 2_300.0);
    let mut agent = Voice::of(&office, 1001, Codec::G711, Answering::Auto, tones);
    caller.phone.dial("100");
    caller.phone.event("CALL_ESTABLISHED");
    let codec = |leg: usize| {
        let calls = office.api.live_calls();
        calls.first().map(|call| call["legs"][leg]["codec"].clone())
    };
    wait::until_true("a greeting in Opus", wait::PATIENCE, || {
        codec(0).is_some_and(|codec| codec == "opus")
    });
    agent.phone.event("CALL_ESTABLISHED");
    agent.hears(caller.low);
    agent.hears(caller.high);
    // baresip's own recording ends with the codec it began with.
    wait::until_true("the agent on the caller's wire", wait::PATIENCE, || {
        let heard = tap.heard_by(caller.phone.address).samples;
        seconds_of(&heard, agent.low) > 1.0 && seconds_of(&heard, agent.high) > 1.0
    });
    caller.phone.hang_up();
    agent.phone.event("CALL_CLOSED");
    let record = office.records(1).remove(0);
    assert_whole(&record, &office.recordings());
    for leg in list(&record["legs"]) {
        assert_eq!(leg["codec"], "PCMU", "{record:#}");
    }
}

/// Tones are said at -18 dB; codecs and the mix take a little.
const HEARD: f64 = -26.0;
/// What is not said.
const SILENT: f64 = -50.0;
