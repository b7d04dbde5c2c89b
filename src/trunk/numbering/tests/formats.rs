//! Numbers as carriers want them.

use proptest::prelude::*;

use super::super::{Country, NumberFormat, Site};

#[test]
fn every_form_of_a_number() {
    let tokyo = Site::new("jp", Some("3")).expect("Tokyo");
    let manhattan = Site::new("us", Some("212")).expect("Manhattan");
    let berlin = Site::new("de", Some("30")).expect("Berlin");
    // Site, as dialled, E.164, international, national, subscriber.
    for (site, dialled, e164, international, national, subscriber) in [
        (
            &tokyo,
            "34567890",
            "+81334567890",
            "81334567890",
            "0334567890",
            "34567890",
        ),
        (
            &tokyo,
            "0662345678",
            "+81662345678",
            "81662345678",
            "0662345678",
            "0662345678",
        ),
        (
            &tokyo,
            "+819012345678",
            "+819012345678",
            "819012345678",
            "09012345678",
            "09012345678",
        ),
        (
            &tokyo,
            "01014155550100",
            "+14155550100",
            "14155550100",
            "01014155550100",
            "01014155550100",
        ),
        (
            &tokyo,
            "+442079460000",
            "+442079460000",
            "442079460000",
            "010442079460000",
            "010442079460000",
        ),
        (
            &tokyo,
            "0120123456",
            "+81120123456",
            "81120123456",
            "0120123456",
            "0120123456",
        ),
        (&tokyo, "110", "110", "110", "110", "110"),
        (&tokyo, "#7119", "#7119", "#7119", "#7119", "#7119"),
        (
            &manhattan,
            "5550123",
            "+12125550123",
            "12125550123",
            "12125550123",
            "5550123",
        ),
        (
            &manhattan,
            "4155550100",
            "+14155550100",
            "14155550100",
            "14155550100",
            "14155550100",
        ),
        (
            &manhattan,
            "01181334567890",
            "+81334567890",
            "81334567890",
            "01181334567890",
            "01181334567890",
        ),
        (&manhattan, "911", "911", "911", "911", "911"),
        (
            &berlin,
            "22345678",
            "+493022345678",
            "493022345678",
            "03022345678",
            "22345678",
        ),
        (
            &berlin,
            "01711234567",
            "+491711234567",
            "491711234567",
            "01711234567",
            "01711234567",
        ),
        (
            &berlin,
            "+33123456789",
            "+33123456789",
            "33123456789",
            "0033123456789",
            "0033123456789",
        ),
    ] {
        let number = site
            .read(dialled)
            .unwrap_or_else(|why| panic!("{dialled}: {why}"));
        for (format, expected) in [
            (NumberFormat::AsDialled, dialled),
            (NumberFormat::E164, e164),
            (NumberFormat::International, international),
            (NumberFormat::National, national),
            (NumberFormat::Subscriber, subscriber),
        ] {
            assert_eq!(
                site.write(&number, format),
                expected,
                "{dialled} {format:?}"
            );
        }
    }
}

#[test]
fn a_local_number_that_alone_means_something_else_keeps_its_area() {
    let berlin = Site::new("de", Some("30")).expect("Berlin");
    for (whole, written) in [
        ("030234567", "234567"),
        ("030110", "030110"),
        ("030000", "030000"),
    ] {
        let number = berlin.read(whole).expect(whole);
        let subscriber = berlin.write(&number, NumberFormat::Subscriber);
        assert_eq!(subscriber, written);
    }
}

#[test]
fn a_form_known_beforehand_tells_numbers_of_other_countries() {
    let tokyo = Site::new("jp", Some("3")).expect("Tokyo");
    let read = |text, format| {
        tokyo
            .read_in(text, format)
            .ok()
            .and_then(|number| number.e164)
    };
    let international = NumberFormat::International;
    assert_eq!(
        read("14155550100", international).as_deref(),
        Some("+14155550100")
    );
    assert_eq!(read("14155550100", NumberFormat::National), None);
    assert_eq!(
        read("81334567890", international).as_deref(),
        Some("+81334567890")
    );
    assert_eq!(
        read("0334567890", international).as_deref(),
        Some("+81334567890")
    );
    assert_eq!(
        read("+442079460000", international).as_deref(),
        Some("+442079460000")
    );
}

proptest! {
    /// Whatever is dialled: no harm; and a number written in any form is the same number when read.
    #[test]
    fn written_numbers_are_read_back(text in "[+*#]?[0-9]{0,20}|\\PC{0,20}", place in 0usize..3) {
        let country = Country::ALL[place].name;
        let area = [Some("30"), Some("3"), Some("212")][place];
        let site = Site::new(country, area).expect("a site");
        if let Ok(number) = site.read(&text) {
            for (word, format) in NumberFormat::WORDS {
                let written = site.write(&number, format);
                if format == NumberFormat::International && number.e164.is_some() {
                    let read = site.read_in(&written, format).expect(word);
                    prop_assert_eq!(&read.e164, &number.e164, "{} {}", text, written);
                } else {
                    let read = site.read(&written).expect(word);
                    prop_assert_eq!(&read.e164, &number.e164, "{} {}", text, written);
                }
            }
        }
    }
}
