//! What befalls the world from outside: the process dies, the configuration changes, a connection
//! breaks.

use std::sync::Arc;

use tsunagu::base::CallId;
use tsunagu::config::Office;
use tsunagu::events::Event;
use tsunagu::journal::MemoryJournal;
use tsunagu::media::VirtualNet;
use tsunagu::sip::Flow;

use crate::peer::SWITCH;
use crate::switch::{Ground, Switch};
use crate::world::{Item, World};

impl World {
    /// The process dies and another one takes its calls up from checkpoints. What was under way
    /// inside it is lost; what is on the network is not.
    pub(crate) fn restart(&mut self) {
        self.restart_after(|_| {});
    }

    /// The same, with something happening to the network while nobody is there.
    pub(crate) fn restart_after(&mut self, meanwhile: impl FnOnce(&VirtualNet)) {
        let calls: Vec<CallId> = self
            .switch
            .exchange
            .records()
            .into_iter()
            .map(|record| record.id)
            .collect();
        let checkpoints: Vec<_> = calls
            .iter()
            .filter_map(|call| self.switch.checkpoint(self.now, call))
            .collect();
        self.collect();
        self.items.retain(|_, item| {
            !matches!(item, Item::Command(_) | Item::Notice(_) | Item::Router(_))
        });
        let ground = Ground {
            office: &self.office,
            generation: self.generation,
            journal: &self.journal,
            net: &self.net,
            recordings: self.directory.path(),
            registrar: self.switch.registrar.clone(),
            survivors: checkpoints.iter().map(|one| one.call().clone()).collect(),
            seed: self.seed + 1_000_000,
            address: SWITCH,
            beside: None,
        };
        self.restarts += 1;
        // Calls that were in no state to be frozen are gone, and nobody will hear of them.
        let is_known = |event: &Arc<Event>| {
            checkpoints.iter().any(|one| *one.call() == event.call)
                || self.records.iter().any(|record| record.id == event.call)
        };
        self.events.retain(is_known);
        let (paper, air) = (MemoryJournal::new(), VirtualNet::new());
        // The old one's sockets are closed before the new one's are opened.
        let nowhere = Ground {
            journal: &paper,
            net: &air,
            survivors: Vec::new(),
            registrar: ground.registrar.clone(),
            ..ground
        };
        let before = std::mem::replace(&mut self.switch, Switch::start(self.now, nowhere));
        let recovered = before.die();
        meanwhile(&self.net);
        self.switch = Switch::start(self.now, ground);
        self.switch.exchange.restore(self.now, checkpoints);
        for notice in recovered {
            self.switch.exchange.handle_notice(self.now, notice);
        }
        self.collect();
    }

    /// Takes a changed configuration over.
    pub(crate) fn reload(&mut self, office: Office) {
        self.generation += 1;
        self.switch.reload(self.now, &office, self.generation);
        self.office = office;
        self.collect();
    }

    /// A far end's connection breaks; it is not made again.
    pub(crate) fn break_connection(&mut self, peer: usize) {
        let out = self.peers[peer].flow();
        assert!(out.connection.is_some(), "it has none");
        self.peers[peer].is_gone = true;
        let flow = Flow {
            local: out.remote,
            remote: out.local,
            ..out
        };
        self.put(self.now, Item::Broken(flow));
    }
}
