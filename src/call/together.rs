//! Numbers that ring together for one caller: a group, or what a flow calls at once.

use super::core::Core;
use super::hands::Hands;
use crate::base::LegId;
use crate::events::Role;
use crate::trunk::{Destination, Origin};

impl Core {
    /// Rings a number as a phone would dial it, all of it when it is a group; the status when nobody
    /// rings.
    pub(crate) fn ring_number(
        &mut self,
        hands: &mut Hands<'_>,
        number: &str,
    ) -> Result<Vec<LegId>, u16> {
        let generation = hands.generations.get(&self.generation).ok_or(500_u16)?;
        let found = generation.numbers.dialled(Origin::Flow, number);
        match found.ok_or(404_u16)? {
            Destination::Group(members) => self.ring_together(hands, &members),
            found => self.ring_one(hands, found),
        }
    }

    /// Rings all these numbers at once, groups among them as their members; the status when nobody
    /// rings at all.
    pub(crate) fn ring_together(
        &mut self,
        hands: &mut Hands<'_>,
        numbers: &[String],
    ) -> Result<Vec<LegId>, u16> {
        let generation = hands.generations.get(&self.generation).ok_or(500_u16)?;
        let plan = &generation.clone().numbers;
        let dialled = |number: &String| plan.dialled(Origin::Flow, number);
        let mut found = Vec::with_capacity(numbers.len());
        for destination in numbers.iter().filter_map(dialled) {
            match destination {
                Destination::Group(members) => found.extend(members.iter().filter_map(dialled)),
                destination => found.push(destination),
            }
        }
        let (allowed, _) = self.breadth.split(found.len())?;
        let mut legs = Vec::with_capacity(found.len());
        let mut refused = 404;
        for destination in found.into_iter().take(allowed.min(MOST_TOGETHER)) {
            match self.ring_one(hands, destination) {
                Ok(rung) => legs.extend(rung),
                Err(status) => refused = status,
            }
        }
        if legs.is_empty() {
            return Err(refused);
        }
        Ok(legs)
    }

    fn ring_one(
        &mut self,
        hands: &mut Hands<'_>,
        destination: Destination,
    ) -> Result<Vec<LegId>, u16> {
        match destination {
            Destination::Phone(number) => self.ring_phone(hands, &number, Role::Callee, None),
            Destination::Trunk { trunks, number } => {
                let leg = self.ring_by_trunks(hands, trunks, number)?;
                Ok(vec![leg])
            }
            _ => Err(404),
        }
    }
}

/// Most numbers that ring for one caller at a time.
const MOST_TOGETHER: usize = 50;
