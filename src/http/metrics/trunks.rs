//! Trunks: what they carry, how calls ended there, and how accounts and targets are.

use std::collections::BTreeMap;
use std::fmt;

use super::page::{MOST_ROWS, Page};
use super::snapshot::Snapshot;
use crate::trunk::{AccountState, Figures, TrunkView};

/// Trunks by name; statuses are bounded in the trunk room.
pub(super) fn trunks(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let trunks = || snapshot.trunks.iter().take(MOST_ROWS);
    let named = |trunk: &TrunkView| [("trunk", trunk.name.clone())];
    page.gauges(
        "tsunagu_trunk_channels",
        "Calls each trunk carries",
        trunks().map(|trunk| (named(trunk), trunk.channels as u64)),
    )?;
    page.gauges(
        "tsunagu_trunk_well",
        "Whether a trunk is expected to carry a call out",
        trunks().map(|trunk| (named(trunk), u64::from(trunk.well))),
    )?;
    page.gauges(
        "tsunagu_trunk_calls_per_second",
        "New calls a second over the last ten",
        trunks().map(|trunk| (named(trunk), trunk.rate)),
    )?;
    page.counters(
        "tsunagu_trunk_calls",
        "Calls by trunk and way",
        trunks().flat_map(|trunk| {
            let way = |way: &str, calls| {
                let labels = [("trunk", trunk.name.clone()), ("way", way.to_owned())];
                (labels, calls)
            };
            let figures = &trunk.figures;
            [
                way("in", figures.calls_in),
                way("out", figures.calls_out),
                way("turned_away", figures.turned_away),
            ]
        }),
    )?;
    page.counters(
        "tsunagu_trunk_ended",
        "Calls that ended, by trunk and final SIP status",
        trunks().flat_map(|trunk| {
            let by_status = trunk.figures.by_status.iter();
            by_status.map(|(status, calls)| {
                let labels = [
                    ("trunk", trunk.name.clone()),
                    ("status", status.to_string()),
                ];
                (labels, *calls)
            })
        }),
    )?;
    let ratios = |of: fn(&Figures) -> Option<f64>| {
        trunks().filter_map(move |trunk| Some((named(trunk), of(&trunk.figures)?)))
    };
    page.gauges(
        "tsunagu_trunk_asr",
        "Answer-seizure ratio since the start, 0 to 1",
        ratios(Figures::asr),
    )?;
    page.gauges(
        "tsunagu_trunk_ner",
        "Network effectiveness ratio since the start, 0 to 1",
        ratios(Figures::ner),
    )?;
    page.gauges(
        "tsunagu_trunk_mean_length_seconds",
        "Mean length of answered calls since the start",
        ratios(Figures::mean_length),
    )?;
    trunk_states(page, snapshot)
}

fn trunk_states(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let trunks = || snapshot.trunks.iter().take(MOST_ROWS);
    page.gauges(
        "tsunagu_trunk_accounts",
        "Accounts by state of their registration",
        trunks().flat_map(|trunk| {
            let mut count = BTreeMap::new();
            for state in trunk.accounts.values() {
                *count.entry(account_word(state)).or_insert(0_u64) += 1;
            }
            count.into_iter().map(|(state, accounts)| {
                let labels = [("trunk", trunk.name.clone()), ("state", state.to_owned())];
                (labels, accounts)
            })
        }),
    )?;
    let targets = || {
        trunks().flat_map(|trunk| {
            // By their place in the list: addresses are no labels.
            let places = trunk.targets.iter().enumerate();
            places.map(|(place, target)| {
                let place = (place + 1).to_string();
                ([("trunk", trunk.name.clone()), ("target", place)], target)
            })
        })
    };
    page.gauges(
        "tsunagu_trunk_target_up",
        "Whether a target answers OPTIONS",
        targets().filter_map(|(labels, target)| Some((labels, u64::from(target.up?)))),
    )?;
    page.gauges(
        "tsunagu_trunk_options_rtt_seconds",
        "Round trip of the last answered OPTIONS",
        targets().filter_map(|(labels, target)| Some((labels, target.rtt_ms? / 1000.0))),
    )
}

fn account_word(state: &AccountState) -> &'static str {
    match state {
        AccountState::Failed { .. } => "failed",
        AccountState::Registered { .. } => "registered",
        AccountState::Trying => "trying",
        AccountState::Unregistered => "unregistered",
        AccountState::Waiting => "waiting",
    }
}
