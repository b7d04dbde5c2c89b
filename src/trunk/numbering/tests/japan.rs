//! Japan, seen from Tokyo (03).

use super::super::{NumberFormat, Presentation, Site, SiteError};
use super::{Row, judge};

fn tokyo() -> Site {
    Site::new("jp", Some("3")).expect("Tokyo")
}

#[test]
fn numbers_of_japan() {
    judge(&tokyo(), ROWS, 150);
}

#[test]
fn elsewhere_local_numbers_have_other_lengths() {
    for (area, local, e164) in [
        ("6", "61234567", "+81661234567"),
        ("11", "2345678", "+81112345678"),
        ("45", "2345678", "+81452345678"),
        ("422", "234567", "+81422234567"),
        ("4992", "22345", "+81499222345"),
    ] {
        let site = Site::new("jp", Some(area)).expect(area);
        assert_eq!(site.e164(local).as_deref(), Some(e164), "{area} {local}");
        assert_eq!(site.e164(&local[1..]), None, "{area} {local}");
    }
    let nowhere = Site::new("jp", None).expect("Japan");
    assert_eq!(nowhere.e164("12345678"), None);
    assert_eq!(nowhere.e164("31234567"), None);
}

#[test]
fn what_is_no_place_is_refused() {
    for area in ["03", "90", "120", "1234567", "x", ""] {
        let made = Site::new("jp", Some(area));
        assert_eq!(made, Err(SiteError::Area(area.to_owned())), "{area}");
    }
    assert!(matches!(Site::new("xx", None), Err(SiteError::Country(_))));
}

#[test]
fn nothing_in_a_callers_number_is_about_presentation() {
    let site = tokyo();
    // +1 862 345 6789 as some carriers send it; behind 186 stands a local number of Tokyo.
    let foreign = "18623456789";
    assert_eq!(site.e164(foreign).as_deref(), Some("+81323456789"));
    let read = |format| site.read_caller(foreign, format).ok()?.e164;
    assert_eq!(read(NumberFormat::National), None);
    assert_eq!(
        read(NumberFormat::International).as_deref(),
        Some("+18623456789")
    );
    let own = site.read_caller("0312345678", NumberFormat::National);
    assert_eq!(own.expect("read").e164.as_deref(), Some("+81312345678"));
}

#[test]
fn what_is_dialled_about_presentation_is_kept_apart() {
    let site = tokyo();
    for (text, presentation, written) in [
        ("1840312345678", Some(Presentation::Withhold), "0312345678"),
        (
            "184-03-1234-5678",
            Some(Presentation::Withhold),
            "0312345678",
        ),
        ("18609012345678", Some(Presentation::Show), "09012345678"),
        ("184110", Some(Presentation::Withhold), "110"),
        ("0312345678", None, "0312345678"),
    ] {
        let number = site
            .read(text)
            .unwrap_or_else(|why| panic!("{text}: {why}"));
        assert_eq!(number.presentation, presentation, "{text}");
        assert_eq!(number.written, written, "{text}");
    }
    assert!(site.is_emergency("184119") && site.is_emergency("110"));
    assert!(!site.is_emergency("0110") && !site.is_emergency("1100"));
}

#[test]
fn an_error_says_how_long_the_number_should_be() {
    let why = tokyo().read("0901234567").expect_err("a digit short");
    assert_eq!(
        why.to_string(),
        "mobile numbers that begin so have 10 digits, not 9"
    );
}

const ROWS: &[Row] = &[
    // Emergency.
    ("110", "emergency", ""),
    ("118", "emergency", ""),
    ("119", "emergency", ""),
    ("184110", "emergency", ""),
    ("186119", "emergency", ""),
    ("1-1-9", "emergency", ""),
    // Short numbers.
    ("100", "special", ""),
    ("104", "special", ""),
    ("106", "special", ""),
    ("108", "special", ""),
    ("111", "special", ""),
    ("113", "special", ""),
    ("114", "special", ""),
    ("115", "special", ""),
    ("116", "special", ""),
    ("117", "special", ""),
    ("122", "special", ""),
    ("136", "special", ""),
    ("141", "special", ""),
    ("142", "special", ""),
    ("144", "special", ""),
    ("147", "special", ""),
    ("148", "special", ""),
    ("159", "special", ""),
    ("161", "special", ""),
    ("165", "special", ""),
    ("171", "special", ""),
    ("177", "special", ""),
    ("188", "special", ""),
    ("189", "special", ""),
    ("#7119", "special", ""),
    ("#8000", "special", ""),
    ("#9110", "special", ""),
    ("184117", "special", ""),
    // 184 and 186 are no numbers by themselves.
    ("184", "unassigned", ""),
    ("186", "unassigned", ""),
    ("187", "unassigned", ""),
    ("190", "unassigned", ""),
    ("199", "unassigned", ""),
    ("1", "unassigned", ""),
    ("11", "unassigned", ""),
    ("1100", "unassigned", ""),
    ("1190", "unassigned", ""),
    ("#711", "unassigned", ""),
    ("*45", "unassigned", ""),
    // 0AB-J, whole.
    ("0312345678", "geographic", "+81312345678"),
    ("0322345678", "geographic", "+81322345678"),
    ("0352345678", "geographic", "+81352345678"),
    ("0362345678", "geographic", "+81362345678"),
    ("0392345678", "geographic", "+81392345678"),
    ("0302345678", "unassigned", ""),
    ("03-3456-7890", "geographic", "+81334567890"),
    ("03(3456)7890", "geographic", "+81334567890"),
    ("03 3456 7890", "geographic", "+81334567890"),
    ("03.3456.7890", "geographic", "+81334567890"),
    ("0662345678", "geographic", "+81662345678"),
    ("0642345678", "geographic", "+81642345678"),
    ("0612345678", "geographic", "+81612345678"),
    ("0112345678", "geographic", "+81112345678"),
    ("0123456789", "geographic", "+81123456789"),
    ("0152345678", "geographic", "+81152345678"),
    ("0172345678", "geographic", "+81172345678"),
    ("0222345678", "geographic", "+81222345678"),
    ("0242345678", "geographic", "+81242345678"),
    ("0252345678", "geographic", "+81252345678"),
    ("0262345678", "geographic", "+81262345678"),
    ("0272345678", "geographic", "+81272345678"),
    ("0292345678", "geographic", "+81292345678"),
    ("0422345678", "geographic", "+81422345678"),
    ("0432345678", "geographic", "+81432345678"),
    ("0442345678", "geographic", "+81442345678"),
    ("0452345678", "geographic", "+81452345678"),
    ("0466234567", "geographic", "+81466234567"),
    ("0482345678", "geographic", "+81482345678"),
    ("0499222345", "geographic", "+81499222345"),
    ("0522345678", "geographic", "+81522345678"),
    ("0532345678", "geographic", "+81532345678"),
    ("0542345678", "geographic", "+81542345678"),
    ("0582345678", "geographic", "+81582345678"),
    ("0722345678", "geographic", "+81722345678"),
    ("0752345678", "geographic", "+81752345678"),
    ("0762345678", "geographic", "+81762345678"),
    ("0782345678", "geographic", "+81782345678"),
    ("0822345678", "geographic", "+81822345678"),
    ("0862345678", "geographic", "+81862345678"),
    ("0872345678", "geographic", "+81872345678"),
    ("0892345678", "geographic", "+81892345678"),
    ("0922345678", "geographic", "+81922345678"),
    ("0952345678", "geographic", "+81952345678"),
    ("0962345678", "geographic", "+81962345678"),
    ("0992345678", "geographic", "+81992345678"),
    ("0982345678", "geographic", "+81982345678"),
    ("0980234567", "geographic", "+81980234567"),
    ("0402345678", "unassigned", ""),
    ("032234567", "length", ""),
    ("03223456789", "length", ""),
    ("045234567", "length", ""),
    ("01123456789", "length", ""),
    // Dialled within Tokyo.
    ("22345678", "geographic", "+81322345678"),
    ("3456-7890", "geographic", "+81334567890"),
    ("99999999", "geographic", "+81399999999"),
    ("12345678", "unassigned", ""),
    ("2234567", "unassigned", ""),
    ("223456789", "unassigned", ""),
    ("1843456-7890", "geographic", "+81334567890"),
    // Mobiles.
    ("09012345678", "mobile", "+819012345678"),
    ("090-1234-5678", "mobile", "+819012345678"),
    ("09098765432", "mobile", "+819098765432"),
    ("08012345678", "mobile", "+818012345678"),
    ("08098765432", "mobile", "+818098765432"),
    ("07012345678", "mobile", "+817012345678"),
    ("07098765432", "mobile", "+817098765432"),
    ("06012345678", "mobile", "+816012345678"),
    ("18409012345678", "mobile", "+819012345678"),
    ("18608012345678", "mobile", "+818012345678"),
    ("0901234567", "length", ""),
    ("090123456789", "length", ""),
    ("0801234567", "length", ""),
    ("07012345", "length", ""),
    ("060123456789", "length", ""),
    ("09002345678", "unassigned", ""),
    // Machines: 020, and 0200 with fourteen digits.
    ("02012345678", "mobile", "+812012345678"),
    ("02041234567", "mobile", "+812041234567"),
    ("02001234567890", "mobile", "+812001234567890"),
    ("02001234567", "length", ""),
    ("0201234567", "length", ""),
    // 050.
    ("05012345678", "ip", "+815012345678"),
    ("050-3456-7890", "ip", "+815034567890"),
    ("0501234567", "length", ""),
    ("050123456789", "length", ""),
    // Free of charge.
    ("0120123456", "freephone", "+81120123456"),
    ("0120-000-000", "freephone", "+81120000000"),
    ("08001234567", "freephone", "+818001234567"),
    ("0800-999-9999", "freephone", "+818009999999"),
    ("012012345", "length", ""),
    ("01201234567", "length", ""),
    ("0800123456", "length", ""),
    // Dearer, and other services.
    ("0570012345", "premium", "+81570012345"),
    ("0570-064-000", "premium", "+81570064000"),
    ("0180123456", "premium", "+81180123456"),
    ("0990512345", "premium", "+81990512345"),
    ("0170123456", "special", "+81170123456"),
    ("0910123456", "special", "+81910123456"),
    ("05700123456", "length", ""),
    // E.164.
    ("+81322345678", "geographic", "+81322345678"),
    ("+81-3-3456-7890", "geographic", "+81334567890"),
    ("+819012345678", "mobile", "+819012345678"),
    ("+815012345678", "ip", "+815012345678"),
    ("+81120123456", "freephone", "+81120123456"),
    ("+81(0)334567890", "geographic", "+81334567890"),
    ("+810334567890", "geographic", "+81334567890"),
    ("+81312345678", "geographic", "+81312345678"),
    ("+8190123456", "length", ""),
    ("+81", "unassigned", ""),
    ("+81110", "length", ""),
    // As carriers send it, without the +.
    ("81334567890", "geographic", "+81334567890"),
    ("819012345678", "mobile", "+819012345678"),
    ("815012345678", "ip", "+815012345678"),
    ("81120123456", "freephone", "+81120123456"),
    ("8133456789", "unassigned", ""),
    // Abroad.
    ("010-1-415-555-0100", "international", "+14155550100"),
    ("010442079460000", "international", "+442079460000"),
    ("01049301234567", "international", "+49301234567"),
    ("0106561234567", "international", "+6561234567"),
    ("010 6834002", "international", "+6834002"),
    ("010683400", "length", ""),
    ("01068340021", "international", "+68340021"),
    ("+14155550100", "international", "+14155550100"),
    ("+861012345678", "international", "+861012345678"),
    ("+8201012345678", "international", "+8201012345678"),
    ("01081334567890", "geographic", "+81334567890"),
    ("010819012345678", "mobile", "+819012345678"),
    ("184010-1-415-555-0100", "international", "+14155550100"),
    ("010", "length", ""),
    ("0100334567890", "unassigned", ""),
    ("010123456789012345", "international", "+123456789012345"),
    ("0101234567890123456", "length", ""),
    // By a carrier of choice.
    ("0033-010-1-415-555-0100", "international", "+14155550100"),
    ("00330334567890", "geographic", "+81334567890"),
    ("006109012345678", "mobile", "+819012345678"),
    ("001010442079460000", "international", "+442079460000"),
    ("003334567890", "unassigned", ""),
    ("0033", "unassigned", ""),
    // No numbers.
    ("", "no number", ""),
    ("+", "no number", ""),
    ("sales", "no number", ""),
    ("03-1234-567x", "no number", ""),
    ("03/3456/7890", "no number", ""),
    ("+81+3", "no number", ""),
    ("123456789012345678901234567890123", "no number", ""),
    ("+81*334567890", "no number", ""),
    ("0", "unassigned", ""),
    ("00", "unassigned", ""),
    ("０３３４５６７８９０", "no number", ""),
];
