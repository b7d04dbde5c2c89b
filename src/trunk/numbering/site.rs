//! A place in a country: reads numbers as they are dialled there, and writes them.

use serde::{Deserialize, Serialize};

use super::country::begins_with;
use super::{Country, NumberFormat, NumberKind};
use crate::trunk::pattern::normalise;

/// Where this switch stands, as far as numbers go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Place", try_from = "Place")]
pub struct Site {
    country: &'static Country,
    /// Area code without the trunk prefix; numbers of the own area cannot be read without one.
    area: Option<String>,
}

impl PartialEq for Country {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Country {}

/// A number that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// As it was written, separators and what asks for presentation left out.
    pub written: String,
    /// What it reaches.
    pub kind: NumberKind,
    /// `+`, country code and national number; `None` for a short number.
    pub e164: Option<String>,
    /// What was dialled before it about showing the caller's number.
    pub presentation: Option<Presentation>,
}

/// Whether the caller's number is shown, for one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presentation {
    /// Show it.
    Show,
    /// Keep it back.
    Withhold,
}

/// Why a text is no number of the plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A number of the right beginning with too few or too many digits.
    #[error("{kind} numbers that begin so have {} digits, not {is}", digits(*.fewest, *.most))]
    Length {
        /// What it would reach.
        kind: NumberKind,
        /// Digits it has, the trunk prefix left out.
        is: usize,
        /// Fewest it could have.
        fewest: usize,
        /// Most it could have.
        most: usize,
    },
    /// Other characters than digits, `+`, `*`, `#` and separators; or none, or too many.
    #[error("it is not a telephone number")]
    NoNumber,
    /// Nothing in the country begins so.
    #[error("no number of the country begins so")]
    Unassigned,
}

/// Why there is no such site.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SiteError {
    /// No line of the country has such an area.
    #[error("\"{0}\" is no area code of the country; write it without the 0 before it")]
    Area(String),
    /// The country's plan is not known here.
    #[error("the numbering plan of \"{0}\" is not known")]
    Country(String),
}

/// Kind and E.164 of a number.
type Read = Result<(NumberKind, Option<String>), Unreadable>;

/// What a site is made from, as written.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Place {
    country: String,
    area: Option<String>,
}

impl Site {
    /// A site by its country's letters and its area code without the trunk prefix.
    pub fn new(country: &str, area: Option<&str>) -> Result<Self, SiteError> {
        let known =
            Country::named(country).ok_or_else(|| SiteError::Country(country.to_owned()))?;
        let site = Self {
            country: known,
            area: area.map(str::to_owned),
        };
        if let Some(area) = area {
            let is_area = (1..=5).contains(&area.len())
                && area.bytes().all(|c| c.is_ascii_digit())
                && site.has_lines(area);
            if !is_area {
                return Err(SiteError::Area(area.to_owned()));
            }
        }
        Ok(site)
    }

    /// Its country.
    pub fn country(&self) -> &'static Country {
        self.country
    }

    /// Reads a number as it is dialled here, or as a carrier sends it.
    pub fn read(&self, text: &str) -> Result<Number, Unreadable> {
        let whole = normalise(text).ok_or(Unreadable::NoNumber)?;
        let (presentation, rest) = self.presentation(&whole);
        self.number(rest, presentation)
    }

    /// Reads a dialled number of which is known in which form it is sent: only so `14155550100` is
    /// seen to be a number of another country.
    pub fn read_in(&self, text: &str, format: NumberFormat) -> Result<Number, Unreadable> {
        self.read_global(text, format)
            .map_or_else(|| self.read(text), Ok)
    }

    /// Reads the number of a caller, likewise. Nobody dialled it: what begins it is never a wish to
    /// show or withhold another one, so `18623456789` is no local number behind 186.
    pub fn read_caller(&self, text: &str, format: NumberFormat) -> Result<Number, Unreadable> {
        if let Some(global) = self.read_global(text, format) {
            return Ok(global);
        }
        let whole = normalise(text).ok_or(Unreadable::NoNumber)?;
        self.number(&whole, None)
    }

    fn read_global(&self, text: &str, format: NumberFormat) -> Option<Number> {
        let is_bare = !text.starts_with(['+', '0', '*', '#']);
        let is_global = format == NumberFormat::International && is_bare;
        is_global.then(|| self.read(&format!("+{text}")).ok())?
    }

    fn number(&self, rest: &str, presentation: Option<Presentation>) -> Result<Number, Unreadable> {
        let (kind, e164) = self.classify(rest)?;
        Ok(Number {
            written: rest.to_owned(),
            kind,
            e164,
            presentation,
        })
    }

    /// [`Site::read`], in E.164; `None` for a short number and for what is no number.
    pub fn e164(&self, text: &str) -> Option<String> {
        self.read(text).ok()?.e164
    }

    /// Whether a number calls for help.
    pub fn is_emergency(&self, text: &str) -> bool {
        self.read(text)
            .is_ok_and(|number| number.kind == NumberKind::Emergency)
    }

    /// What shows or withholds the caller's number, when it is dialled before the number.
    pub fn presentation_prefix(&self, presentation: Presentation) -> &'static str {
        let prefixes = match presentation {
            Presentation::Show => self.country.show,
            Presentation::Withhold => self.country.withhold,
        };
        prefixes.first().copied().unwrap_or("")
    }

    /// The number in a form.
    pub fn write(&self, number: &Number, format: NumberFormat) -> String {
        let Some(e164) = &number.e164 else {
            return number.written.clone();
        };
        let digits = e164.trim_start_matches('+');
        match format {
            NumberFormat::AsDialled => number.written.clone(),
            NumberFormat::E164 => e164.clone(),
            NumberFormat::International => digits.to_owned(),
            NumberFormat::National => self.national(digits),
            NumberFormat::Subscriber => {
                let own = self.own_area();
                let local = own.and_then(|own| digits.strip_prefix(own.as_str()));
                // Alone it may mean something else: 110 in Berlin's 030 110.
                let means_the_same = |local: &&str| self.e164(local).as_ref() == Some(e164);
                match local.filter(means_the_same) {
                    Some(local) if number.kind == NumberKind::Geographic => local.to_owned(),
                    _ => self.national(digits),
                }
            }
        }
    }

    fn national(&self, digits: &str) -> String {
        match digits.strip_prefix(self.country.code) {
            Some(national) if self.national_kind(national).is_ok() => {
                format!("{}{national}", self.country.trunk_prefix)
            }
            _ => {
                let prefix = self.country.international.first().copied();
                format!("{}{digits}", prefix.unwrap_or("+"))
            }
        }
    }

    /// Country code and area of the site.
    fn own_area(&self) -> Option<String> {
        let area = self.area.as_ref()?;
        Some(format!("{}{area}", self.country.code))
    }

    /// Takes off what was dialled about presentation.
    fn presentation<'t>(&self, whole: &'t str) -> (Option<Presentation>, &'t str) {
        let all = [
            (self.country.show, Presentation::Show),
            (self.country.withhold, Presentation::Withhold),
        ];
        for (prefixes, presentation) in all {
            for prefix in prefixes {
                // Alone it is nothing to be called.
                if let Some(rest) = whole.strip_prefix(prefix).filter(|rest| !rest.is_empty()) {
                    return (Some(presentation), rest);
                }
            }
        }
        (None, whole)
    }

    fn classify(&self, text: &str) -> Read {
        let country = self.country;
        if let Some(digits) = text.strip_prefix('+') {
            return self.international(digits);
        }
        let fits = |shape: &str| text.len() == shape.len() && begins_with(text, shape);
        if let Some((_, kind)) = country.short.iter().find(|(shape, _)| fits(shape)) {
            return Ok((*kind, None));
        }
        if !text.bytes().all(|c| c.is_ascii_digit()) {
            return Err(Unreadable::Unassigned);
        }
        let carrier = country
            .carriers
            .iter()
            .find(|shape| begins_with(text, shape));
        if let Some(rest) = carrier.and_then(|shape| text.get(shape.len()..)) {
            // Behind a carrier's code stands a whole number, never one of the own area.
            return self
                .dialled_whole(rest)
                .unwrap_or(Err(Unreadable::Unassigned));
        }
        if let Some(read) = self.dialled_whole(text) {
            return read;
        }
        self.dialled_locally(text).or_else(|why| {
            // Carriers leave the `+` out: 81312345678.
            let national = text.strip_prefix(country.code).ok_or(why.clone())?;
            self.national_number(national).map_err(|_| why)
        })
    }

    /// A number behind the international or the trunk prefix; `None` when it has neither.
    fn dialled_whole(&self, text: &str) -> Option<Read> {
        let country = self.country;
        let abroad = country.international.iter();
        if let Some(rest) = abroad.filter_map(|prefix| text.strip_prefix(prefix)).next() {
            return Some(self.international(rest));
        }
        let national = text.strip_prefix(country.trunk_prefix)?;
        Some(self.national_number(national))
    }

    /// A number without any prefix: a national one where that is usual, or one of the own area.
    fn dialled_locally(&self, text: &str) -> Read {
        let country = self.country;
        let (fewest, most) = country.subscriber_digits;
        if (fewest..=most).contains(&text.len())
            && begins_with(text, country.subscriber)
            && let Some(area) = &self.area
        {
            let whole = format!("{area}{text}");
            if let Ok(kind) = self.national_kind(&whole) {
                return Ok((kind, Some(format!("+{}{whole}", country.code))));
            }
        }
        if country.trunk_prefix_may_be_left_out {
            return self.national_number(text);
        }
        Err(Unreadable::Unassigned)
    }

    fn national_number(&self, digits: &str) -> Read {
        let kind = self.national_kind(digits)?;
        Ok((kind, Some(format!("+{}{digits}", self.country.code))))
    }

    fn national_kind(&self, digits: &str) -> Result<NumberKind, Unreadable> {
        let mut ranges = self.country.ranges.iter();
        let range = ranges
            .find(|range| begins_with(digits, range.begins))
            .ok_or(Unreadable::Unassigned)?;
        let kind = range.kind.ok_or(Unreadable::Unassigned)?;
        let (fewest, most) = range.digits;
        if !(fewest..=most).contains(&digits.len()) {
            return Err(Unreadable::Length {
                kind,
                is: digits.len(),
                fewest,
                most,
            });
        }
        Ok(kind)
    }

    /// What follows `+` or the international prefix.
    fn international(&self, digits: &str) -> Read {
        if !digits.bytes().all(|c| c.is_ascii_digit()) {
            return Err(Unreadable::NoNumber);
        }
        if let Some(national) = digits.strip_prefix(self.country.code) {
            // `+81 (0)3 ...`: people write the trunk prefix where it does not belong.
            let prefix = self.country.trunk_prefix;
            let read = self.national_number(national);
            return match national.strip_prefix(prefix) {
                Some(rest) if read.is_err() => self.national_number(rest),
                _ => read,
            };
        }
        let kind = NumberKind::International;
        let is = digits.len();
        if digits.starts_with('0') {
            return Err(Unreadable::Unassigned);
        }
        if !(FEWEST_ABROAD..=MOST_E164).contains(&is) {
            return Err(Unreadable::Length {
                kind,
                is,
                fewest: FEWEST_ABROAD,
                most: MOST_E164,
            });
        }
        Ok((kind, Some(format!("+{digits}"))))
    }

    /// Whether some geographic range begins with the area, or within it.
    fn has_lines(&self, area: &str) -> bool {
        (0..=13).any(|more| {
            ["2", "3"].iter().any(|digit| {
                let number = format!("{area}{}", digit.repeat(more));
                self.national_kind(&number) == Ok(NumberKind::Geographic)
            })
        })
    }
}

/// ITU-T E.164 §6: fifteen digits with the country code.
const MOST_E164: usize = 15;
/// The shortest numbers in use abroad (Niue, St Helena) have seven digits with the country code.
const FEWEST_ABROAD: usize = 7;

fn digits(fewest: usize, most: usize) -> String {
    match fewest == most {
        true => fewest.to_string(),
        false => format!("{fewest} to {most}"),
    }
}

impl From<Site> for Place {
    fn from(site: Site) -> Self {
        Self {
            country: site.country.name.to_owned(),
            area: site.area,
        }
    }
}

impl TryFrom<Place> for Site {
    type Error = SiteError;

    fn try_from(place: Place) -> Result<Self, SiteError> {
        Self::new(&place.country, place.area.as_deref())
    }
}
