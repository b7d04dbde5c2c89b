//! Loads the configuration again: prepare everything, then commit; or keep what runs.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::live::House;
use super::{generation, load_sounds};
use crate::base::ShardId;
use crate::call::task::Order;
use crate::config;
use crate::router::Command;

impl House {
    /// What changed, or everything that is wrong; then the running generation stays.
    pub(super) fn load_again(&self) -> Result<String, String> {
        // One at a time: two reloads at once would both believe theirs to be the next generation.
        let _turn = self
            .reloading
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let office = config::load(&self.directory, &self.environment)
            .map_err(|report| report.to_string())?;
        let old = self.office.load_full();
        let changes = old.changes_to(&office);
        let sounds = load_sounds(&office.node.sounds).map_err(|error| error.to_string())?;
        let number = self.generation.load(Ordering::Acquire) + 1;
        let prepared = generation::prepare(&office, number, sounds);
        let mut plan = office.plan.clone();
        plan.generation = number;

        // From here on nothing can fail but a shard or router that is gone, and then all is over.
        self.router
            .send(
                ShardId(0),
                Command::ActivatePlan {
                    plan: Box::new(plan),
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
        self.tell_reachable(&office);
        self.generation.store(number, Ordering::Release);
        let text = format!("generation {number}\n{changes}");
        self.office.store(std::sync::Arc::new(office));
        tracing::info!(generation = number, "configuration committed");
        Ok(text)
    }

    /// Agents who are new, or whose phone changed, may be on phones that are registered.
    fn tell_reachable(&self, office: &config::Office) {
        let registrar = self
            .registrar
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for worker in &office.plan.workers {
            let command = Command::SetReachable {
                worker: worker.name.clone(),
                reachable: registrar.is_registered(&worker.phone),
            };
            if let Err(full) = self.router.send(ShardId(0), command) {
                tracing::error!(worker = worker.name, "{full}");
            }
        }
    }
}
