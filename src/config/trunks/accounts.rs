//! `[[trunk.account]]`: what is registered with the carrier.

use std::path::Path;

use super::credentials;
use crate::config::environment::Environment;
use crate::config::notes::Notes;
use crate::config::section::Section;
use crate::sip::auth::Credentials;
use crate::trunk::{Account, Profile};

/// Reads one trunk's accounts: those listed, or the trunk's own `user` when none is.
pub(super) fn read(
    trunk: &Section<'_>,
    profile: &Profile,
    (own, realms): ((Option<String>, Option<Credentials>), &[String]),
    from: (&Path, &Environment),
    notes: &Notes,
) -> Vec<Account> {
    let mut accounts: Vec<Account> = Vec::new();
    for account in trunk.sections("account", "an account") {
        let realms = credentials::realms(&account, realms);
        let register = profile.register.mode;
        let (user, credentials) = credentials::read(&account, register, &realms, from, notes);
        account.demand("user", "\"81312345678\"");
        let place = account.place().clone();
        account.close();
        let Some(user) = user else { continue };
        if accounts.iter().any(|known| known.user == user) {
            let message = format!("the account \"{user}\" is there twice");
            notes.error(&place, message, "delete one of the two");
            continue;
        }
        accounts.push(Account { user, credentials });
    }
    if accounts.is_empty() && profile.registers() {
        match own {
            (Some(user), credentials) => accounts.push(Account { user, credentials }),
            (None, _) => notes.error(
                trunk.place(),
                "the trunk registers, and there is nobody to register",
                "add user = \"...\" (and `password`), or [[trunk.account]] for several",
            ),
        }
    }
    accounts
}
