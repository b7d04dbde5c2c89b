//! Who hears whom: the plan of a room, pure.
//!
//! Two members with the same codec hear each other packet by packet; everybody else hears the
//! mix. What is played to a member alone comes first.

use super::Codec;

/// What the plan must know of one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    /// Codec and packet length in ms; `None` before negotiation.
    pub(crate) format: Option<(Codec, u32)>,
    /// What is given to the member instead of the room.
    pub(crate) own: Option<Own>,
}

/// Something a member hears alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// Its own voice.
    Echo,
    /// Music on hold.
    Music,
    /// A play.
    Play,
}

/// What a member hears.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Hears {
    /// The room without itself, made at the tick.
    Mix,
    /// Nothing is sent.
    #[default]
    Nothing,
    /// Something of its own.
    Own(Own),
    /// The other member's packets as they come.
    Relay,
}

/// What `members[listener]` hears.
pub(crate) fn hears(members: &[Member], listener: usize) -> Hears {
    let Some(member) = members.get(listener) else {
        return Hears::Nothing;
    };
    match (member.format, member.own) {
        (None, _) => Hears::Nothing,
        (_, Some(own)) => Hears::Own(own),
        (format, None) => match members {
            [a, b] if a.format == b.format && format.is_some() => Hears::Relay,
            _ => Hears::Mix,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ULAW: Member = Member {
        format: Some((Codec::Pcmu, 20)),
        own: None,
    };

    fn plan(members: &[Member]) -> Vec<Hears> {
        (0..members.len()).map(|n| hears(members, n)).collect()
    }

    #[test]
    fn two_of_one_codec_are_relayed_and_three_are_mixed() {
        assert_eq!(plan(&[ULAW, ULAW]), [Hears::Relay; 2]);
        assert_eq!(plan(&[ULAW, ULAW, ULAW]), [Hears::Mix; 3]);
        assert_eq!(plan(&[ULAW]), [Hears::Mix]);
    }

    #[test]
    fn different_codecs_or_packet_lengths_are_mixed() {
        for format in [(Codec::Pcma, 20), (Codec::Pcmu, 30)] {
            let other = Member {
                format: Some(format),
                ..ULAW
            };
            assert_eq!(plan(&[ULAW, other]), [Hears::Mix; 2]);
        }
    }

    #[test]
    fn what_is_played_to_one_leaves_the_other_relayed() {
        let held = Member {
            own: Some(Own::Music),
            ..ULAW
        };
        assert_eq!(plan(&[held, ULAW]), [Hears::Own(Own::Music), Hears::Relay]);
    }

    #[test]
    fn a_member_without_a_flow_hears_nothing() {
        let silent = Member {
            format: None,
            own: Some(Own::Play),
        };
        assert_eq!(plan(&[silent, ULAW]), [Hears::Nothing, Hears::Mix]);
    }
}
