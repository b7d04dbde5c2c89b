//! What an application is told of a call.

use std::net::IpAddr;

use crate::call::core::Core;
use crate::call::generation::Generation;
use crate::call::hands::Hands;
use crate::call::identity::caller_name;
use crate::twiml::{Direction, Facts, Form, Sid, SidKind};

/// Of a call that has no id yet.
pub(super) fn unknown() -> Facts {
    Facts {
        call: Sid::derive(SidKind::Call, ""),
        account: Sid::derive(SidKind::Account, ""),
        from: String::new(),
        to: String::new(),
        direction: Direction::Inbound,
        forwarded_from: None,
        caller_name: None,
        parent: None,
        token: None,
        more: Form::new(),
    }
}

/// Of whoever calls: a number from outside, an address of a phone of ours.
pub(crate) fn of_caller(core: &Core, hands: &Hands<'_>) -> Facts {
    let generation = hands.generations.get(&core.generation);
    let account = generation.map(|now| now.applications.account.clone());
    let is_phone = core.caller().trunk.is_none();
    let from = match is_phone {
        true => address(&core.from, core.caller().flow.local.ip()),
        false => core.from.clone(),
    };
    let name =
        |now: &std::sync::Arc<Generation>| caller_name(now, &core.from, Some(&core.identity));
    Facts {
        call: Sid::derive(SidKind::Call, core.id.as_str()),
        account: account.unwrap_or_else(|| Sid::derive(SidKind::Account, "")),
        from,
        to: core.to.clone(),
        direction: Direction::Inbound,
        forwarded_from: core.identity.forwarded_from(),
        caller_name: generation.and_then(name),
        parent: None,
        token: None,
        more: Form::new(),
    }
}

/// The SIP address of a phone of ours.
fn address(phone: &str, host: IpAddr) -> String {
    match host {
        IpAddr::V4(host) => format!("sip:{phone}@{host}"),
        IpAddr::V6(host) => format!("sip:{phone}@[{host}]"),
    }
}
