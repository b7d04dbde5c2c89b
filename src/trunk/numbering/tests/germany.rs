//! Germany, seen from Berlin (030).

use super::super::{Presentation, Site};
use super::{Row, judge};

fn berlin() -> Site {
    Site::new("de", Some("30")).expect("Berlin")
}

#[test]
fn numbers_of_germany() {
    judge(&berlin(), ROWS, 60);
}

#[test]
fn codes_ask_for_presentation() {
    let site = berlin();
    let hidden = site.read("*31#03012345678").expect("a number");
    assert_eq!(hidden.presentation, Some(Presentation::Withhold));
    let shown = site.read("#31#01712345678").expect("a number");
    assert_eq!(shown.presentation, Some(Presentation::Show));
    assert!(site.is_emergency("112") && site.is_emergency("*31#110"));
    assert!(!site.is_emergency("911"));
}

#[test]
fn an_error_says_the_lengths_there_are() {
    let why = berlin().read("0171123").expect_err("too short");
    assert_eq!(
        why.to_string(),
        "mobile numbers that begin so have 10 to 11 digits, not 6"
    );
}

const ROWS: &[Row] = &[
    ("110", "emergency", ""),
    ("112", "emergency", ""),
    ("*31#112", "emergency", ""),
    ("115", "special", ""),
    ("116000", "special", ""),
    ("116117", "special", ""),
    ("116116", "special", ""),
    ("11833", "premium", ""),
    ("11880", "premium", ""),
    ("118000", "premium", ""),
    ("111", "unassigned", ""),
    ("911", "geographic", "+4930911"),
    // Geographic, of every length.
    ("03012345678", "geographic", "+493012345678"),
    ("030 12345678", "geographic", "+493012345678"),
    ("030/12345678", "no number", ""),
    ("03012345", "geographic", "+493012345"),
    ("0301234", "geographic", "+49301234"),
    ("030123", "geographic", "+4930123"),
    ("0301", "length", ""),
    ("04012345678", "geographic", "+494012345678"),
    ("06912345678", "geographic", "+496912345678"),
    ("08912345678", "geographic", "+498912345678"),
    ("02211234567", "geographic", "+492211234567"),
    ("0711123456", "geographic", "+49711123456"),
    ("0351123456", "geographic", "+49351123456"),
    ("03322123456", "geographic", "+493322123456"),
    ("033203123456", "geographic", "+4933203123456"),
    ("0891234567890123", "length", ""),
    ("0311234567", "unassigned", ""),
    // Within Berlin.
    ("32345678", "geographic", "+493032345678"),
    ("22334455", "geographic", "+493022334455"),
    ("223456", "geographic", "+4930223456"),
    ("1234567890", "unassigned", ""),
    // Mobiles.
    ("015112345678", "mobile", "+4915112345678"),
    ("015201234567", "mobile", "+4915201234567"),
    ("015712345678", "mobile", "+4915712345678"),
    ("01511234567", "length", ""),
    ("0151123456789", "length", ""),
    ("01601234567", "mobile", "+491601234567"),
    ("016012345678", "mobile", "+4916012345678"),
    ("01621234567", "mobile", "+491621234567"),
    ("01631234567", "mobile", "+491631234567"),
    ("01701234567", "mobile", "+491701234567"),
    ("01711234567", "mobile", "+491711234567"),
    ("0171-1234567", "mobile", "+491711234567"),
    ("017612345678", "mobile", "+4917612345678"),
    ("017912345678", "mobile", "+4917912345678"),
    ("0171123456", "length", ""),
    ("0171123456789", "length", ""),
    // Services.
    ("08001234567", "freephone", "+498001234567"),
    ("0800 123 4567", "freephone", "+498001234567"),
    ("0800123456", "length", ""),
    ("0801234567", "unassigned", ""),
    ("09001234567", "premium", "+499001234567"),
    ("0900123456", "length", ""),
    ("01801234567", "premium", "+491801234567"),
    ("01371234567", "premium", "+491371234567"),
    ("070012345678", "special", "+4970012345678"),
    ("07001234567", "length", ""),
    ("032123456789", "ip", "+4932123456789"),
    ("03212345678", "length", ""),
    ("0191011", "special", "+49191011"),
    ("0123", "length", ""),
    // E.164 and abroad.
    ("+493012345678", "geographic", "+493012345678"),
    ("+49 (0)30 12345678", "geographic", "+493012345678"),
    ("+4915112345678", "mobile", "+4915112345678"),
    ("493012345678", "geographic", "+493012345678"),
    ("00493012345678", "geographic", "+493012345678"),
    ("0014155550100", "international", "+14155550100"),
    ("00442079460000", "international", "+442079460000"),
    ("0081334567890", "international", "+81334567890"),
    ("0080012345678", "international", "+80012345678"),
    ("+81334567890", "international", "+81334567890"),
    ("*31#0014155550100", "international", "+14155550100"),
    ("00", "length", ""),
    ("+", "no number", ""),
    // By a carrier of choice.
    ("0101303012345678", "geographic", "+493012345678"),
    ("010013015112345678", "mobile", "+4915112345678"),
    ("010130014155550100", "international", "+14155550100"),
    ("010131234567", "unassigned", ""),
    ("*100#", "unassigned", ""),
    ("auskunft", "no number", ""),
];
