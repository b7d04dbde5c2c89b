//! `[site]` of `node.toml`: by which plan numbers are read, and which of them the office may show.

use serde::{Deserialize, Serialize};

use super::notes::Notes;
use super::section::{At, Section};
use crate::trunk::{CallerIds, Country, Site, SiteError};

/// Where the switch stands, as far as numbers go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSettings {
    /// The plan by which numbers are read; without one they are taken as they are written.
    pub plan: Option<Site>,
    /// Number of emergency calls, and where nothing else is said.
    pub caller_id: Option<String>,
    /// Numbers that phones may show which have no list of their own.
    pub caller_ids: CallerIds,
}

/// Reads the section.
pub(super) fn read(site: Section<'_>, notes: &Notes) -> SiteSettings {
    let country = site.text("country");
    let area = site.text("area");
    let plan = match (&country, &area) {
        (None, None) => None,
        (None, Some(area)) => {
            let help = "add country = \"jp\"";
            notes.error(&area.place, "an `area` without `country`", help);
            None
        }
        (Some(country), _) => plan(country, area.as_ref(), notes),
    };
    let caller_ids = caller_ids(&site, plan.as_ref(), notes);
    let caller_id = caller_id(&site, plan.as_ref(), notes);
    site.close();
    SiteSettings {
        plan,
        caller_id,
        caller_ids,
    }
}

fn plan(country: &At<String>, area: Option<&At<String>>, notes: &Notes) -> Option<Site> {
    let area_text = area.map(|at| at.value.as_str());
    match (Site::new(&country.value, area_text), area) {
        (Ok(site), _) => Some(site),
        (Err(error @ SiteError::Area(_)), Some(area)) => {
            let help = "Tokyo's is \"3\", Osaka's \"6\", Yokohama's \"45\"";
            notes.error(&area.place, error.to_string(), help);
            None
        }
        (Err(error), _) => {
            let known: Vec<&str> = Country::ALL.iter().map(|country| country.name).collect();
            let help = format!("countries known: {}", known.join(", "));
            notes.error(&country.place, error.to_string(), help);
            None
        }
    }
}

/// Reads `caller_ids`, a list of numbers and ranges.
pub(super) fn caller_ids(section: &Section<'_>, site: Option<&Site>, notes: &Notes) -> CallerIds {
    let mut ids = CallerIds::default();
    for text in section.texts("caller_ids").unwrap_or_default() {
        if let Err(error) = ids.add(&text.value, site) {
            let help = "write \"+81312345678\", or a range \"+81312345600..+81312345699\"";
            notes.error(&text.place, format!("`caller_ids`: {error}"), help);
        }
    }
    ids
}

/// Reads `caller_id`, one number; in E.164 where the plan can read it.
pub(super) fn caller_id(
    section: &Section<'_>,
    site: Option<&Site>,
    notes: &Notes,
) -> Option<String> {
    let text = section.text("caller_id")?;
    let mut ids = CallerIds::default();
    match ids.add(&text.value, site) {
        Ok(()) if !text.value.contains("..") => ids.first().map(str::to_owned),
        _ => {
            let message = format!("`caller_id`: \"{}\" is not a number", text.value);
            notes.error(&text.place, message, "write it such as \"+81312345678\"");
            None
        }
    }
}
