//! SIP: messages, transactions, connections.

use std::collections::BTreeMap;
use std::fmt;

use super::page::Page;
use super::snapshot::{Snapshot, TransportSnapshot};

/// Messages, transactions and connections.
pub(super) fn sip(page: &mut Page<'_>, snapshot: &Snapshot) -> fmt::Result {
    let sip = &snapshot.sip;
    let mut requests: BTreeMap<&str, u64> = BTreeMap::new();
    for (method, count) in &sip.requests {
        let known = METHODS.iter().find(|known| **known == method.as_str());
        *requests.entry(known.unwrap_or(&"other")).or_default() += count;
    }
    page.counters(
        "tsunagu_sip_requests",
        "SIP requests received",
        requests
            .into_iter()
            .map(|(method, n)| ([("method", method)], n)),
    )?;
    let mut responses: BTreeMap<String, u64> = BTreeMap::new();
    for (status, count) in &sip.responses {
        let label = match status {
            100..=699 => status.to_string(),
            _ => "other".to_owned(),
        };
        *responses.entry(label).or_default() += count;
    }
    page.counters(
        "tsunagu_sip_responses",
        "SIP responses, sent and received",
        responses
            .iter()
            .map(|(status, n)| ([("status", status.as_str())], *n)),
    )?;
    page.counter(
        "tsunagu_sip_malformed",
        "SIP messages that could not be read",
        sip.malformed,
    )?;
    page.counter(
        "tsunagu_sip_retransmissions",
        "SIP messages sent again by us",
        sip.retransmissions,
    )?;
    page.counter(
        "tsunagu_sip_dropped",
        "SIP messages dropped: beyond answering, or belonging to nothing",
        sip.dropped,
    )?;
    page.counter(
        "tsunagu_sip_gate_refusals",
        "Calls refused with 503 because of load",
        sip.refused_by_gate,
    )?;
    page.counter(
        "tsunagu_dns_questions",
        "Questions put to name servers",
        sip.questions,
    )?;
    page.counter(
        "tsunagu_sip_failovers",
        "SIP requests that went on to another address",
        sip.failovers,
    )?;
    page.gauge(
        "tsunagu_sip_targets_resting",
        "Addresses spared because they failed or asked for a pause",
        sip.resting,
    )?;
    page.gauge(
        "tsunagu_sip_transactions",
        "SIP transactions alive",
        sip.transactions,
    )?;
    page.gauge("tsunagu_sip_sessions", "SIP sessions alive", sip.sessions)?;
    transport(page, &sip.transport)
}

fn transport(page: &mut Page<'_>, transport: &TransportSnapshot) -> fmt::Result {
    page.gauge(
        "tsunagu_sip_connections",
        "SIP connections open, TCP and TLS",
        transport.connections,
    )?;
    page.counters(
        "tsunagu_sip_connections_by_fate",
        "SIP connections by what became of them",
        [
            ([("fate", "accepted")], transport.accepted),
            ([("fate", "cut")], transport.cut),
            ([("fate", "handshake_failed")], transport.handshakes_failed),
            ([("fate", "opened")], transport.opened),
            ([("fate", "refused")], transport.refused),
            ([("fate", "unreachable")], transport.unreachable),
        ],
    )?;
    page.counters(
        "tsunagu_sip_datagrams",
        "SIP datagrams by what became of them",
        [
            ([("fate", "received")], transport.datagrams_received),
            ([("fate", "unsent")], transport.datagrams_unsent),
        ],
    )?;
    page.counter(
        "tsunagu_sip_pings_answered",
        "Signs of life given to peers that asked (RFC 5626)",
        transport.pings_answered,
    )
}

/// Methods with a row of their own (RFC 3261 and its extensions).
const METHODS: [&str; 14] = [
    "ACK",
    "BYE",
    "CANCEL",
    "INFO",
    "INVITE",
    "MESSAGE",
    "NOTIFY",
    "OPTIONS",
    "PRACK",
    "PUBLISH",
    "REFER",
    "REGISTER",
    "SUBSCRIBE",
    "UPDATE",
];
