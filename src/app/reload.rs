//! Loads the configuration again: prepare everything, then commit; or keep what runs.

use std::net::SocketAddr;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::live::House;
use super::{defence, generation, load_sounds};
use crate::base::{Clock as _, ShardId};
use crate::call::task::Order;
use crate::config::{self, Office};
use crate::http::Reload;
use crate::router::Command;
use crate::sip::Protocol;

impl House {
    /// What changed, or everything that is wrong; then the running generation stays.
    pub(super) fn load_again(&self, reload: Reload) -> Result<String, String> {
        // One at a time: two reloads at once would both believe theirs to be the next generation.
        let _turn = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let office = config::load(&self.directory, &self.environment)
            .map_err(|report| report.to_string())?;
        let old = self.office.load_full();
        fits_what_runs(&old, &office)?;
        let changes = old.changes_to(&office);
        let sounds = load_sounds(&office).map_err(|error| error.to_string())?;
        let sounds = sounds.with_kept(self.kept.clone());
        let number = self.generation.load(Ordering::Acquire) + 1;
        let prepared = generation::prepare(&office, number, sounds, self.boards.clone());
        let mut plan = office.plan.clone();
        plan.generation = number;

        // From here on nothing can fail but a shard or router that is gone, and then all is over.
        self.router
            .send(
                ShardId(0),
                Command::ActivatePlan {
                    plan: Box::new(plan),
                    reevaluate: reload.reevaluate,
                    reachable: super::reached(&self.desks, &office, &self.registrar),
                },
            )
            .map_err(|full| full.to_string())?;
        for orders in &self.orders {
            if orders
                .blocking_send(Order::Commit(prepared.clone()))
                .is_err()
            {
                return Err("a signalling shard is gone; restart the switch".to_owned());
            }
        }
        let terms = office.voicemail.clone();
        self.voicemail
            .with_shelf(self.clock.now(), |shelf| shelf.set_terms(terms));
        self.tls.set(office.tls.clone());
        self.web.set(office.webhooks.clone());
        self.speech.set(office.speech.clone());
        if let Some(exporter) = &self.exporter {
            exporter.set_numbers(office.node.trace.numbers);
        }
        self.tell_reachable(&office);
        let workers = &office.plan.workers;
        self.set_heartbeats(office.heartbeat.clone(), |agent| {
            workers.iter().any(|worker| worker.name == agent)
        });
        self.guard.set_rules(defence::rules(&office));
        self.challenger
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .set_policy(office.node.sip.defence.auth.clone());
        self.generation.store(number, Ordering::Release);
        let text = format!("generation {number}\n{changes}");
        self.office.store(std::sync::Arc::new(office));
        tracing::info!(generation = number, "configuration committed");
        Ok(text)
    }

    /// Agents who are new, or whose phone changed, may be on phones that are registered.
    fn tell_reachable(&self, office: &Office) {
        let (desks, router) = (&self.desks, &self.router);
        if let Err(full) = super::tell_reachable(desks, office, &self.registrar, router) {
            tracing::error!("who can be reached was not told: {full}");
        }
    }
}

/// What `check` cannot see: listeners and realm stay as they are until a restart.
fn fits_what_runs(running: &Office, wanted: &Office) -> Result<(), String> {
    if running.node.realm != wanted.node.realm {
        // Every password was digested with the new realm; phones would be asked for the old one.
        return Err("the realm changes only when the switch starts anew: restart it".to_owned());
    }
    let is_secret = |(protocol, _): &(Protocol, SocketAddr)| protocol.is_secure();
    let certificate = wanted.tls.as_ref().and_then(|tls| tls.certificate());
    if running.node.sip.listeners.iter().any(is_secret) && certificate.is_none() {
        return Err(
            "the running switch listens for TLS and needs [sip.tls]: restart it to listen elsewhere"
                .to_owned(),
        );
    }
    let is_open = |(_, address): &(_, SocketAddr)| !address.ip().to_canonical().is_loopback();
    let published = wanted
        .phones
        .iter()
        .find(|phone| phone.is_published(&wanted.node.realm));
    match published {
        Some(phone) if running.node.sip.listeners.iter().any(is_open) => Err(format!(
            "phone {} has the demo's published password, and the running switch listens beyond \
             loopback: restart it to listen elsewhere",
            phone.number
        )),
        _ => Ok(()),
    }
}
