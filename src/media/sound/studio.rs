//! Where sounds are rendered for a codec, when the first listener asks for it.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Builder;

use super::Sound;
use super::rendition::Rendering;
use crate::media::Codec;

/// Takes orders for renditions. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Studio {
    /// Renders at once: for virtual time.
    Inline,
    /// A thread of its own, which ends with the last clone.
    Thread(Sender<(Arc<Sound>, Codec)>),
}

impl Studio {
    /// Starts the thread.
    pub(crate) fn start() -> io::Result<Self> {
        let (orders, inbox) = channel();
        Builder::new()
            .name("sounds".to_owned())
            .spawn(move || work(&inbox))?;
        Ok(Self::Thread(orders))
    }

    /// Has a sound rendered for a codec, if nobody has ordered it before.
    pub(crate) fn order(&self, sound: &Arc<Sound>, codec: Codec) {
        // All but the first time it is no more than this look.
        let is_first = !sound.is_ordered(codec) && sound.order(codec);
        match self {
            Self::Inline if is_first => {
                let mut rendering = Rendering::new(Arc::clone(sound), codec);
                while rendering.step() {}
            }
            Self::Inline => wait_for(sound, codec),
            // The thread lives as long as anybody can ask.
            Self::Thread(orders) if is_first => drop(orders.send((Arc::clone(sound), codec))),
            Self::Thread(_) => {}
        }
    }
}

/// Two simulations may share a sound, and virtual time would not wait for the other one's thread.
fn wait_for(sound: &Sound, codec: Codec) {
    // What follows the end is written last.
    let is_done = || match codec.has_memory() {
        true => sound.frame_again(codec, 0).is_some(),
        false => sound.frame(codec, sound.frames() - 1).is_some(),
    };
    while sound.frames() > 0 && !is_done() {
        std::thread::yield_now();
    }
}

/// A second of each in turn: a prompt does not wait for ten minutes of music.
fn work(inbox: &Receiver<(Arc<Sound>, Codec)>) {
    let mut jobs = VecDeque::new();
    while let Ok((sound, codec)) = inbox.recv() {
        jobs.push_back(Rendering::new(sound, codec));
        while let Some(mut job) = jobs.pop_front() {
            if job.step() {
                jobs.push_back(job);
            }
            let more = inbox.try_iter();
            jobs.extend(more.map(|(sound, codec)| Rendering::new(sound, codec)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::patience;

    #[test]
    fn whoever_asks_first_has_it_rendered_for_all() {
        let studio = Studio::start().unwrap();
        let sounds = [3000, 20].map(|frames| Arc::new(Sound::new("s", vec![0; frames * 160])));
        for sound in &sounds {
            assert_eq!(sound.frame(Codec::G722, 0), None);
            studio.order(sound, Codec::G722);
            studio.order(sound, Codec::G722);
        }
        for sound in &sounds {
            let last = sound.frames() - 1;
            let is_rendered = || sound.frame(Codec::G722, last).is_some();
            patience::until("rendered", is_rendered);
            assert_eq!(sound.frame(Codec::G722, last + 1), None);
            assert_eq!(sound.frame(Codec::G722, 0).unwrap().len(), 160);
        }
    }
}
