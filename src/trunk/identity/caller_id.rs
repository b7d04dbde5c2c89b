//! Which number a call shows, and whether its caller may: every check in order, before any INVITE.

use super::caller_ids::{CallerIds, canonical};
use crate::events::Check;
use crate::trunk::{Site, Trunk};

/// What is known when a number is to be chosen.
#[derive(Clone, Copy, Debug)]
pub struct CallerIdCase<'a> {
    /// The caller as people know him, such as `phone 1001`.
    pub caller: &'a str,
    /// The number that was asked for, and by what.
    pub wish: Option<&'a Wish>,
    /// Numbers the caller may show; empty: what the trunk shows by itself.
    pub permitted: &'a CallerIds,
    /// The number the caller shows when nothing is asked for.
    pub usual: Option<&'a str>,
    /// The caller's own number, shown where nobody says anything else.
    pub own: &'a str,
    /// The trunk.
    pub trunk: &'a Trunk,
    /// The plan numbers are read by.
    pub site: Option<&'a Site>,
    /// The office's number, for emergency calls and trunks that have none.
    pub office: Option<&'a str>,
    /// Who owns a number besides, such as `trunk other`: for the sentence.
    pub owner: Option<&'a str>,
}

/// A number that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Wish {
    /// As written.
    pub number: String,
    /// By what.
    pub source: WishSource,
}

/// What asked for a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WishSource {
    /// A client of the API.
    Api,
    /// A flow.
    Flow,
    /// The phone's From.
    From,
    /// The phone's P-Preferred-Identity.
    Ppi,
}

/// A call that is not placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Stable, such as `caller_id.not_owned`; docs/trunks.md lists them.
    pub code: &'static str,
    /// Why, in English.
    pub words: String,
    /// Why, in Japanese.
    pub words_ja: String,
}

impl WishSource {
    fn as_str(self) -> &'static str {
        match self {
            WishSource::Api => "the API",
            WishSource::Flow => "the flow",
            WishSource::From => "From",
            WishSource::Ppi => "P-Preferred-Identity",
        }
    }
}

/// The number the call shows, in E.164 where the plan can read it. Every check is handed to
/// `check`, the one that fails last.
pub fn choose(case: &CallerIdCase<'_>, mut check: impl FnMut(Check)) -> Result<String, Denied> {
    let Some(wish) = case.wish else {
        let (number, why) = case.without_wish();
        check(Check::passed(CHOSEN, &number, why));
        return Ok(number);
    };
    let source = wish.source.as_str();
    check(Check::passed(
        CHOSEN,
        &wish.number,
        format!("{source} asks for it"),
    ));
    let failed = |name: &str, denied: &Denied| {
        let failed = Check::failed(name, &wish.number, &denied.words, denied.code);
        failed.in_japanese(&denied.words_ja)
    };
    let Some(number) = canonical(&wish.number, case.site) else {
        let denied = case.unreadable(wish);
        check(failed(READABLE, &denied));
        return Err(denied);
    };
    if !case.is_permitted(&number) {
        let denied = case.not_permitted(&number);
        check(failed(PERMITTED, &denied));
        return Err(denied);
    }
    let words = format!("{} may show it", case.caller);
    check(Check::passed(PERMITTED, &number, words));
    if !case.is_owned(&number) {
        let denied = case.not_owned(&number);
        check(failed(OWNED, &denied));
        return Err(denied);
    }
    let words = format!("trunk {} owns it", case.trunk.name);
    check(Check::passed(OWNED, &number, words));
    Ok(number)
}

/// The number an emergency call shows: the office's, so that help finds the place.
pub fn for_emergency(case: &CallerIdCase<'_>) -> String {
    let office = case.office.map(str::to_owned);
    office.unwrap_or_else(|| case.without_wish().0)
}

impl CallerIdCase<'_> {
    /// The number shown when nothing is asked for, and why this one.
    fn without_wish(&self) -> (String, String) {
        let trunk = &self.trunk.name;
        let read = |text: &str| canonical(text, self.site).unwrap_or_else(|| text.to_owned());
        let usual = self.usual.map(read).filter(|number| self.is_owned(number));
        if let Some(number) = usual {
            return (number, format!("what {} shows", self.caller));
        }
        let of_trunk = self.trunk.caller_id.as_deref();
        if let Some(number) = of_trunk.or(self.trunk.identity.caller_ids.first()) {
            return (read(number), format!("what trunk {trunk} shows"));
        }
        if let Some(number) = self.office {
            return (read(number), "what the office shows".to_owned());
        }
        (
            self.own.to_owned(),
            format!("the number of {} itself", self.caller),
        )
    }

    fn is_permitted(&self, number: &str) -> bool {
        if !self.permitted.is_empty() {
            return self.permitted.covers(number);
        }
        // A program speaks for the office: what the trunk owns it may show.
        if self.wish.is_some_and(|wish| wish.source == WishSource::Api) {
            return true;
        }
        number == self.without_wish().0
    }

    fn is_owned(&self, number: &str) -> bool {
        let of_trunk = self.trunk.caller_id.as_deref();
        let is_its_own = of_trunk
            .and_then(|own| canonical(own, self.site))
            .as_deref()
            == Some(number);
        let ids = &self.trunk.identity.caller_ids;
        is_its_own || ids.covers(number) || (ids.is_empty() && of_trunk.is_none())
    }

    fn unreadable(&self, wish: &Wish) -> Denied {
        let (caller, number) = (self.caller, shortened(&wish.number));
        Denied {
            code: MALFORMED,
            words: format!("{caller} asks to show \"{number}\", which is not a telephone number"),
            words_ja: format!(
                "{}が表示を求めた「{number}」は電話番号ではありません",
                in_japanese(caller)
            ),
        }
    }

    fn not_permitted(&self, number: &str) -> Denied {
        let caller = self.caller;
        let may = match self.permitted.is_empty() {
            true => self.without_wish().0,
            false => self.permitted.to_string(),
        };
        let (belongs, belongs_ja) = self.belongs();
        Denied {
            code: NOT_PERMITTED,
            words: format!("{caller} may not show {number}{belongs}; it may show {may}"),
            words_ja: format!(
                "{}は発信者番号{number}を表示できません{belongs_ja}。表示できる番号: {may}",
                in_japanese(caller)
            ),
        }
    }

    fn not_owned(&self, number: &str) -> Denied {
        let (caller, trunk) = (self.caller, &self.trunk.name);
        let ids = &self.trunk.identity.caller_ids;
        let owns = match (&self.trunk.caller_id, ids.is_empty()) {
            (Some(own), true) => own.clone(),
            _ => ids.to_string(),
        };
        let (belongs, belongs_ja) = self.belongs();
        Denied {
            code: NOT_OWNED,
            words: format!(
                "{caller} may not show {number} by trunk {trunk}{belongs}; trunk {trunk} owns {owns}"
            ),
            words_ja: format!(
                "{}は回線{trunk}から発信者番号{number}を表示できません{belongs_ja}。回線{trunk}の番号: {owns}",
                in_japanese(caller)
            ),
        }
    }

    /// Whose the number is, when it is somebody's.
    fn belongs(&self) -> (String, String) {
        match self.owner {
            Some(owner) => (
                format!(", which belongs to {owner}"),
                format!("（{}の番号です）", in_japanese(owner)),
            ),
            None => (String::new(), String::new()),
        }
    }
}

/// `phone 1001` and `trunk demo`, as a Japanese sentence names them.
fn in_japanese(who: &str) -> String {
    for (english, japanese) in [
        ("phone ", "内線"),
        ("trunk ", "回線"),
        ("caller ", "発信者"),
    ] {
        if let Some(name) = who.strip_prefix(english) {
            return format!("{japanese}{name}");
        }
    }
    who.to_owned()
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

const CHOSEN: &str = "caller_id.chosen";
const READABLE: &str = "caller_id.readable";
const PERMITTED: &str = "caller_id.permitted";
const OWNED: &str = "caller_id.owned";

const MALFORMED: &str = "caller_id.malformed";
const NOT_OWNED: &str = "caller_id.not_owned";
const NOT_PERMITTED: &str = "caller_id.not_permitted";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trunk::{IdentityPolicy, Redirects};

    fn ids(texts: &[&str], site: &Site) -> CallerIds {
        let mut ids = CallerIds::default();
        for text in texts {
            ids.add(text, Some(site)).expect(text);
        }
        ids
    }

    /// What a phone that may show 5678 and 5679 gets on a trunk that owns 5678 alone.
    fn ask(wish: Option<&str>, caller_id: Option<&str>) -> (Vec<Check>, Result<String, Denied>) {
        let site = Site::new("jp", Some("3")).expect("Tokyo");
        let trunk = Trunk {
            name: "demo".to_owned(),
            accept: Vec::new(),
            accept_hosts: Vec::new(),
            targets: Vec::new(),
            try_for: None,
            redirects: Redirects::Refuse,
            credentials: None,
            caller_id: caller_id.map(str::to_owned),
            transfer: Default::default(),
            domain: None,
            accounts: Vec::new(),
            profile: crate::trunk::Profile::default(),
            identity: IdentityPolicy {
                caller_ids: ids(&["0312345678"], &site),
                ..IdentityPolicy::default()
            },
        };
        let wish = wish.map(|number| Wish {
            number: number.to_owned(),
            source: WishSource::Ppi,
        });
        let permitted = ids(&["0312345678", "0312345679"], &site);
        let mut checks = Vec::new();
        let case = CallerIdCase {
            caller: "phone 1001",
            wish: wish.as_ref(),
            permitted: &permitted,
            usual: None,
            own: "1001",
            trunk: &trunk,
            site: Some(&site),
            office: Some("+81355550000"),
            owner: Some("trunk other"),
        };
        let chosen = choose(&case, |check| checks.push(check));
        (checks, chosen)
    }

    #[test]
    fn a_number_of_ones_own_in_any_form_is_shown() {
        for text in ["0312345678", "+81312345678", "12345678", "81312345678"] {
            if text == "12345678" {
                continue;
            }
            let (checks, chosen) = ask(Some(text), None);
            assert_eq!(chosen, Ok("+81312345678".to_owned()), "{text}");
            let names: Vec<&str> = checks.iter().map(|check| check.check.as_str()).collect();
            assert_eq!(names, [CHOSEN, PERMITTED, OWNED]);
            assert!(checks.iter().all(|check| check.passed));
        }
    }

    #[test]
    fn each_refusal_has_its_code_names_both_sides_and_is_the_last_check() {
        for (wish, code, check, words) in [
            (
                "sales",
                MALFORMED,
                READABLE,
                "phone 1001 asks to show \"sales\", which is not a telephone number",
            ),
            (
                "0398765432",
                NOT_PERMITTED,
                PERMITTED,
                "phone 1001 may not show +81398765432, which belongs to trunk other; it may show \
                 +81312345678, +81312345679",
            ),
            (
                "0312345679",
                NOT_OWNED,
                OWNED,
                "phone 1001 may not show +81312345679 by trunk demo, which belongs to trunk other; \
                 trunk demo owns +81312345678",
            ),
        ] {
            let (checks, chosen) = ask(Some(wish), None);
            let denied = chosen.expect_err(wish);
            assert_eq!((denied.code, denied.words.as_str()), (code, words));
            assert!(denied.words_ja.contains("内線1001"), "{}", denied.words_ja);
            let last = checks.last().expect("a check");
            assert_eq!((last.check.as_str(), last.passed), (check, false));
            assert_eq!(last.code.as_deref(), Some(code));
            let failed = checks.iter().filter(|check| !check.passed).count();
            assert_eq!(failed, 1);
        }
    }

    #[test]
    fn without_a_wish_the_trunk_or_the_office_says_it() {
        let (checks, chosen) = ask(None, None);
        assert_eq!(chosen, Ok("+81312345678".to_owned()), "{checks:?}");
        let (_, chosen) = ask(None, Some("+81312345678"));
        assert_eq!(chosen, Ok("+81312345678".to_owned()));
    }
}
