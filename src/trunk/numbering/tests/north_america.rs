//! The United States, seen from Manhattan (212).

use super::super::{Presentation, Site};
use super::{Row, judge};

fn manhattan() -> Site {
    Site::new("us", Some("212")).expect("Manhattan")
}

#[test]
fn numbers_of_north_america() {
    judge(&manhattan(), ROWS, 60);
}

#[test]
fn star_codes_ask_for_presentation() {
    let site = manhattan();
    let hidden = site.read("*672125550123").expect("a number");
    assert_eq!(hidden.presentation, Some(Presentation::Withhold));
    assert_eq!(hidden.e164.as_deref(), Some("+12125550123"));
    let shown = site.read("*8212125550123").expect("a number");
    assert_eq!(shown.presentation, Some(Presentation::Show));
    assert!(site.is_emergency("911") && site.is_emergency("*67911"));
}

#[test]
fn without_an_area_seven_digits_are_too_few() {
    let nowhere = Site::new("us", None).expect("the United States");
    assert_eq!(nowhere.e164("5550123"), None);
    assert_eq!(nowhere.e164("2125550123").as_deref(), Some("+12125550123"));
    assert!(Site::new("us", Some("911")).is_err());
    assert!(Site::new("us", Some("800")).is_err());
}

const ROWS: &[Row] = &[
    ("911", "emergency", ""),
    ("*67911", "emergency", ""),
    ("211", "special", ""),
    ("311", "special", ""),
    ("411", "special", ""),
    ("511", "special", ""),
    ("611", "special", ""),
    ("711", "special", ""),
    ("811", "special", ""),
    ("933", "special", ""),
    ("988", "special", ""),
    ("0", "special", ""),
    ("00", "special", ""),
    ("111", "unassigned", ""),
    ("9111", "unassigned", ""),
    ("912", "unassigned", ""),
    // Ten digits.
    ("2125550123", "geographic", "+12125550123"),
    ("212-555-0123", "geographic", "+12125550123"),
    ("(212) 555-0123", "geographic", "+12125550123"),
    ("212.555.0123", "geographic", "+12125550123"),
    ("4155550100", "geographic", "+14155550100"),
    ("4165550100", "geographic", "+14165550100"),
    ("8765550100", "geographic", "+18765550100"),
    ("1125550123", "unassigned", ""),
    ("0125550123", "unassigned", ""),
    ("2120550123", "unassigned", ""),
    ("2121550123", "unassigned", ""),
    ("2129110123", "unassigned", ""),
    ("2124110123", "unassigned", ""),
    ("9115550123", "unassigned", ""),
    ("2955550123", "unassigned", ""),
    ("3705550123", "unassigned", ""),
    ("9605550123", "unassigned", ""),
    ("212555012", "length", ""),
    ("21255501234", "length", ""),
    // Eleven digits.
    ("12125550123", "geographic", "+12125550123"),
    ("1-212-555-0123", "geographic", "+12125550123"),
    ("1212555012", "length", ""),
    ("121255501234", "length", ""),
    ("11125550123", "unassigned", ""),
    // Seven digits, within the area.
    ("5550123", "geographic", "+12125550123"),
    ("555-0123", "geographic", "+12125550123"),
    ("0550123", "unassigned", ""),
    ("1550123", "unassigned", ""),
    ("9110123", "unassigned", ""),
    ("555012", "unassigned", ""),
    // Services.
    ("8005550199", "freephone", "+18005550199"),
    ("18005550199", "freephone", "+18005550199"),
    ("8335550199", "freephone", "+18335550199"),
    ("8445550199", "freephone", "+18445550199"),
    ("8555550199", "freephone", "+18555550199"),
    ("8665550199", "freephone", "+18665550199"),
    ("8775550199", "freephone", "+18775550199"),
    ("8885550199", "freephone", "+18885550199"),
    ("9005550199", "premium", "+19005550199"),
    ("5005550199", "special", "+15005550199"),
    ("5225550199", "special", "+15225550199"),
    ("7005550199", "special", "+17005550199"),
    // E.164 and abroad.
    ("+12125550123", "geographic", "+12125550123"),
    ("+1 (212) 555-0123", "geographic", "+12125550123"),
    ("+18005550199", "freephone", "+18005550199"),
    ("+1212555012", "length", ""),
    ("+11125550123", "unassigned", ""),
    ("011442079460000", "international", "+442079460000"),
    ("011 81 3 3456 7890", "international", "+81334567890"),
    ("01112125550123", "geographic", "+12125550123"),
    ("+442079460000", "international", "+442079460000"),
    ("011", "length", ""),
    ("0110123456789", "unassigned", ""),
    ("*67011442079460000", "international", "+442079460000"),
    // By a carrier of choice.
    ("101028812125550123", "geographic", "+12125550123"),
    ("1010288011442079460000", "international", "+442079460000"),
    ("10102885550123", "unassigned", ""),
    // No numbers.
    ("*67", "unassigned", ""),
    ("1-800-FLOWERS", "no number", ""),
    ("", "no number", ""),
];
