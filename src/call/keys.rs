//! Keys on their way through a call: each taken once, by whatever method it came, and passed to
//! the other parties by theirs.

use serde::{Deserialize, Serialize};

use super::core::Core;
use super::feature::Stage;
use super::hands::Hands;
use super::leg::Leg;
use super::machine::Call;
use super::negotiate;
use crate::base::{LegId, Timestamp};
use crate::events::Fact;
use crate::media::dtmf::Method;
use crate::media::{Command, LegFlow};
use crate::sdp::Negotiated;
use crate::sip::ua::Body;
use crate::sip::{DTMF_RELAY, DtmfRelay, HeaderName, Message};

/// The form a key comes or goes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Form {
    /// A telephone event (RFC 4733).
    Event,
    /// A SIP INFO.
    Info,
    /// A tone in the sound.
    Tone,
}

/// A key that was pressed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) digit: char,
    pub(super) form: Form,
    /// Whether media has given it to the other party already.
    pub(super) passed_on: bool,
}

/// What a leg knows of its keys.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Keys {
    /// As configured for its trunk or phone.
    pub(crate) method: Method,
    /// The form its last key came in, and when.
    heard: Option<(Form, Timestamp)>,
    /// Whether a key came by INFO.
    by_info: bool,
}

/// Many phones press a key in two forms at once. For this long after a key of one form those of
/// the others are taken for the same keys; an INFO comes when the key is let go.
const ONE_FORM: std::time::Duration = std::time::Duration::from_secs(5);

/// How long a key is held, as we say it in an INFO.
const HELD_MS: u32 = 100;

impl Keys {
    /// By this method (`None`: the usual one), with nothing heard.
    pub(crate) fn by(method: Option<Method>) -> Self {
        Self {
            method: method.unwrap_or_default(),
            ..Self::default()
        }
    }

    /// Takes a key; `false` when it is another form of one that was taken.
    fn take(&mut self, form: Form, now: Timestamp) -> bool {
        let is_double =
            |(before, at): (Form, Timestamp)| before != form && now.since(at) < ONE_FORM;
        if self.heard.is_some_and(is_double) {
            return false;
        }
        self.heard = Some((form, now));
        self.by_info |= form == Form::Info;
        true
    }

    /// The form in which the far end is to hear of keys; `None` when there is none.
    fn form_of(&self, agreed: &Negotiated) -> Option<Form> {
        let takes_events = agreed.telephone_event.is_some();
        match self.method {
            Method::Auto | Method::Rfc4733 if takes_events => Some(Form::Event),
            Method::Auto if self.by_info => Some(Form::Info),
            Method::Auto | Method::Inband => Some(Form::Tone),
            Method::Info => Some(Form::Info),
            Method::Rfc4733 => None,
        }
    }
}

impl Leg {
    /// The media leg's orders for what was negotiated.
    pub(super) fn flow_of(&self, agreed: &Negotiated) -> LegFlow {
        LegFlow {
            tones: self.keys.form_of(agreed) == Some(Form::Tone),
            ..negotiate::leg_flow(agreed, Some(self.flow.remote.ip()))
        }
    }
}

impl Core {
    /// Gives a key of one party to the others who do not hear of it anyway.
    fn pass_key(&self, hands: &mut Hands<'_>, from: LegId, key: Key) {
        let others = self.talking().filter(|leg| leg.id != from);
        for leg in others.filter(|leg| !leg.hears_music && !leg.holds_us()) {
            let Some(agreed) = &leg.negotiated else {
                continue;
            };
            match (key.form, leg.keys.form_of(agreed)) {
                // It is in the sound already.
                (Form::Tone, Some(Form::Tone)) | (_, None) => {}
                _ if key.passed_on => {}
                (_, Some(Form::Info)) => {
                    let relay = DtmfRelay {
                        digit: key.digit,
                        duration_ms: Some(HELD_MS),
                    };
                    let body = Body {
                        content_type: DTMF_RELAY.into(),
                        bytes: relay.to_string().into(),
                    };
                    hands.ua.info(hands.now, leg.session, body);
                }
                (_, Some(Form::Event | Form::Tone)) => hands.tell(Command::SendDigits {
                    leg: leg.id,
                    digits: key.digit.to_string(),
                }),
            }
        }
    }
}

impl Call {
    /// A leg pressed a key.
    pub(super) fn on_key(&mut self, hands: &mut Hands<'_>, leg: LegId, key: Key) {
        let now = hands.now;
        let Some(state) = self.core.leg_mut(leg) else {
            return;
        };
        let was_by_info = state.keys.by_info;
        if !state.keys.take(key.form, now) {
            tracing::debug!(call = %self.core.id, form = ?key.form, "the same key in another form");
            return;
        }
        if let Some(agreed) = &state.negotiated
            && state.keys.by_info != was_by_info
        {
            // Who says it by INFO need not be listened to for tones.
            let flow = state.flow_of(agreed);
            hands.tell(Command::SetLeg { leg, flow });
        }
        let digit = key.digit;
        let shown = if self.core.is_secret() { '*' } else { digit };
        self.core
            .emit(hands, Fact::DigitPressed { leg, digit: shown });
        self.core.take_key(hands, leg, digit);
        let passes = match &self.stage {
            // Whoever hears something alone is not yet with the other.
            Stage::Dial(dial) => !dial.is_whispering(),
            Stage::Talk(_) | Stage::Transfer(_) => true,
            _ => false,
        };
        if passes {
            self.core.pass_key(hands, leg, key);
        }
        self.with_stage(hands, |stage, core, hands| {
            stage.on_digit(core, hands, leg, digit)
        });
    }

    /// An INFO came.
    pub(super) fn on_info(&mut self, hands: &mut Hands<'_>, leg: LegId, request: &Message) {
        let content_type = request.header_text(HeaderName::ContentType);
        let pressed = DtmfRelay::read(&content_type.unwrap_or_default(), request.body());
        if let Some(DtmfRelay { digit, .. }) = pressed {
            let (form, passed_on) = (Form::Info, false);
            self.on_key(
                hands,
                leg,
                Key {
                    digit,
                    form,
                    passed_on,
                },
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_two_forms_is_taken_once() {
        let at = Timestamp::from_millis;
        let mut keys = Keys::by(None);
        let pressed = [
            (0, Form::Event, true),
            (150, Form::Info, false),
            (300, Form::Event, true),
            (310, Form::Event, true),
            (450, Form::Info, false),
            (460, Form::Info, false),
            // Long after: whichever form comes first.
            (9_000, Form::Info, true),
            (9_010, Form::Event, false),
            (9_500, Form::Info, true),
        ];
        for (ms, form, taken) in pressed {
            assert_eq!(keys.take(form, at(ms)), taken, "{form:?} at {ms}");
        }
    }
}
