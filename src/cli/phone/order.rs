//! Orders on standard input, one a line: the phone in the hand of a script.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::sync::mpsc;

use super::keys::Keys;

/// What the phone may be told while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// Answer the call that rings, now.
    Answer,
    /// End the call, or refuse the one that rings.
    HangUp,
    /// Say this instead of what is being said.
    Play(PathBuf),
    /// Press keys.
    Press(Keys),
    /// End the call and the phone. The end of the input says the same.
    Quit,
    /// Say nothing more.
    Stop,
}

impl FromStr for Order {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match (verb, rest.trim()) {
            ("answer", "") => Ok(Order::Answer),
            ("hang_up", "") => Ok(Order::HangUp),
            ("play", path) if !path.is_empty() => Ok(Order::Play(path.into())),
            ("press", keys) if !keys.is_empty() => Ok(Order::Press(keys.parse()?)),
            ("quit", "") => Ok(Order::Quit),
            ("stop", "") => Ok(Order::Stop),
            _ => Err(format!(
                "{line:?} is no order; there are answer, hang_up, play FILE, press KEYS, stop, quit"
            )),
        }
    }
}

/// Reads orders until the input ends, on a thread of its own: reading cannot be broken off.
pub(super) fn listen() -> mpsc::Receiver<Result<Order, String>> {
    let (sender, receiver) = mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let Ok(line) = line else { break };
            if !line.trim().is_empty() && sender.blocking_send(line.parse()).is_err() {
                return;
            }
        }
        // A phone that is gone needs no more orders.
        let _ = sender.blocking_send(Ok(Order::Quit));
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_a_verb_and_what_belongs_to_it() {
        assert_eq!("answer".parse(), Ok(Order::Answer));
        assert_eq!(" hang_up \r".parse(), Ok(Order::HangUp));
        assert_eq!("play a b.wav".parse(), Ok(Order::Play("a b.wav".into())));
        assert_eq!("press ,1".parse(), Ok(Order::Press(",1".parse().unwrap())));
        for wrong in ["play", "press", "press x", "answer 3", "sing", ""] {
            assert!(wrong.parse::<Order>().is_err(), "{wrong}");
        }
    }
}
