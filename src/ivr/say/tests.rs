//! What is said, compared with what others say: num2words for numbers, open_jtalk for Japanese dates
//! and times (`sounds/words.py` asked them). All of it by a digest, some of it as text.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::{Date, Time, date};
use sha2::{Digest as _, Sha256};

use super::*;

/// What is written, and how it is read where that is another thing.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum Text {
    Plain(String),
    Read {
        text: String,
        reading: Option<String>,
    },
}

struct Voice {
    language: Language,
    texts: BTreeMap<String, Text>,
}

impl Voice {
    fn of(language: Language) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("sounds/{language}.toml"));
        let text = std::fs::read_to_string(path).expect("a list of texts");
        let texts = toml::from_str(&text).expect("texts by name");
        Self { language, texts }
    }

    /// What is heard, in letters or kana alone.
    fn says(&self, what: &Spoken<'_>) -> String {
        let names = say(self.language, what);
        let text = |name: &String| match self.texts.get(name) {
            Some(Text::Plain(text)) => text,
            Some(Text::Read { text, reading }) => reading.as_ref().unwrap_or(text),
            None => panic!("{what:?} needs {name:?}, which is no prompt"),
        };
        names.iter().map(|name| bare(text(name))).collect()
    }
}

/// In small letters and hiragana, nothing between them.
fn bare(text: &str) -> String {
    let hiragana = |c: char| match c {
        'ァ'..='ヶ' => char::from_u32(u32::from(c) - 0x60).unwrap_or(c),
        c => c.to_ascii_lowercase(),
    };
    text.chars()
        .filter(|c| c.is_alphanumeric() || *c == 'ー')
        .map(hiragana)
        .collect()
}

/// What others say, as `sounds/words.py` wrote it: samples by kind and input, digests by kind.
fn others() -> (Vec<[&'static str; 3]>, BTreeMap<&'static str, &'static str>) {
    let (mut samples, mut digests) = (Vec::new(), BTreeMap::new());
    for line in include_str!("words.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let parts: Vec<&str> = line.split('\t').collect();
        match parts[..] {
            [kind, "sha256", digest] => drop(digests.insert(kind, digest)),
            [kind, input, text] => samples.push([kind, input, text]),
            _ => panic!("{line}"),
        }
    }
    (samples, digests)
}

fn agrees(kind: &str, rows: impl Iterator<Item = (String, String)>) {
    let (samples, digests) = others();
    let samples: BTreeMap<&str, &str> = samples
        .iter()
        .filter(|[of, ..]| *of == kind)
        .map(|[_, input, text]| (*input, *text))
        .collect();
    let (mut digest, mut seen) = (Sha256::new(), 0);
    for (input, text) in rows {
        if let Some(wanted) = samples.get(&*input) {
            assert_eq!(text, *wanted, "{kind} {input}");
            seen += 1;
        }
        digest.update(format!("{input}\t{text}\n"));
    }
    assert!(
        seen == samples.len() && seen > 10,
        "{seen} of {}",
        samples.len()
    );
    let digest: String = digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        digest, digests[kind],
        "{kind}: one that is no sample differs; run sounds/words.py --all"
    );
}

fn numbers(language: Language) -> impl Iterator<Item = (String, String)> {
    let voice = Voice::of(language);
    (0..10_000).map(move |number| (number.to_string(), voice.says(&Spoken::Number(number))))
}

fn days(language: Language) -> impl Iterator<Item = (String, String)> {
    let voice = Voice::of(language);
    let days = date(2024, 1, 1).series(jiff::Span::new().days(1)).take(366);
    days.map(move |day: Date| (day.to_string(), voice.says(&Spoken::Date(day))))
}

fn minutes(language: Language) -> impl Iterator<Item = (String, String)> {
    let voice = Voice::of(language);
    (0..1440).map(move |minute: i16| {
        let time = Time::constant((minute / 60) as i8, (minute % 60) as i8, 0, 0);
        let name = time.strftime("%H:%M").to_string();
        (name, voice.says(&Spoken::Time(time)))
    })
}

#[test]
fn all_numbers_to_ten_thousand() {
    agrees("en-number", numbers(Language::English));
    agrees("ja-number", numbers(Language::Japanese));
}

#[test]
fn all_days_of_a_leap_year() {
    agrees("en-date", days(Language::English));
    agrees("ja-date", days(Language::Japanese));
}

#[test]
fn all_minutes_of_a_day() {
    agrees("en-time", minutes(Language::English));
    agrees("ja-time", minutes(Language::Japanese));
}

#[test]
fn large_numbers_negative_ones_and_those_without_words() {
    let (english, japanese) = (Voice::of(Language::English), Voice::of(Language::Japanese));
    for (number, in_english, in_japanese) in [
        (10_000, "tenthousand", "いちまん"),
        (-42, "minusfortytwo", "まいなすよんじゅうに"),
        (1_000_000, "onemillion", "ひゃくまん"),
        (10_000_000, "tenmillion", "いっせんまん"),
        (
            11_003_600,
            "elevenmillionthreethousandsixhundred",
            "いっせんひゃくまんさんぜんろっぴゃく",
        ),
        (800_000_001, "eighthundredmillionone", "はちおくいち"),
        (MOST, "", ""),
    ] {
        let spoken = Spoken::Number(number);
        let told = (english.says(&spoken), japanese.says(&spoken));
        if number < MOST {
            assert_eq!(told, (in_english.to_owned(), in_japanese.to_owned()));
        }
    }
    for beyond in [MOST + 1, i64::MIN, i64::MAX] {
        let spoken = Spoken::Number(beyond);
        assert!(say(Language::English, &spoken).len() >= 13);
        assert!(say(Language::Japanese, &spoken).len() >= 13);
    }
}

#[test]
fn digits_money_and_counts() {
    let (english, japanese) = (Voice::of(Language::English), Voice::of(Language::Japanese));
    let rows = [
        (
            Spoken::Digits("03-4*#"),
            "zerothreefourstarpound",
            "ぜろさんよんこめじるししゃーぷ",
        ),
        (Spoken::Money(1, Currency::Jpy), "oneyen", "いちえん"),
        (
            Spoken::Money(1234, Currency::Jpy),
            "onethousandtwohundredthirtyfouryen",
            "せんにひゃくさんじゅうよえん",
        ),
        (Spoken::Money(100, Currency::Usd), "onedollar", "いちどる"),
        (
            Spoken::Money(1050, Currency::Usd),
            "tendollarsandfiftycents",
            "じゅうどるごじゅっせんと",
        ),
        (
            Spoken::Money(-99, Currency::Eur),
            "minusninetyninecents",
            "まいなすきゅうじゅうきゅうせんと",
        ),
        (
            Spoken::Money(101, Currency::Gbp),
            "onepoundandonepenny",
            "いちぽんどいちぺんす",
        ),
        (Spoken::Money(0, Currency::Jpy), "zeroyen", "ぜろえん"),
        (Spoken::Count(1, Counted::People), "oneperson", "ひとり"),
        (Spoken::Count(2, Counted::People), "twopeople", "ふたり"),
        (
            Spoken::Count(14, Counted::People),
            "fourteenpeople",
            "じゅうよにん",
        ),
        (Spoken::Count(1, Counted::Minutes), "oneminute", "いっぷん"),
        (
            Spoken::Count(90, Counted::Minutes),
            "ninetyminutes",
            "いちじかんさんじゅっぷん",
        ),
        (Spoken::Count(4, Counted::Hours), "fourhours", "よじかん"),
        (Spoken::Count(3, Counted::Place), "three", "さんばんめ"),
        (
            Spoken::Count(10, Counted::Seconds),
            "tenseconds",
            "じゅうびょう",
        ),
    ];
    for (spoken, in_english, in_japanese) in rows {
        let told = english.says(&spoken);
        let one = told == in_english || told == in_english.replace("pound", "hash");
        assert!(one, "{spoken:?}: {told}");
        let told = japanese.says(&spoken);
        // 五十セント: the voice says ごじゅう before it.
        let other = in_japanese.replace("ごじゅっせんと", "ごじゅうせんと");
        assert!(told == in_japanese || told == other, "{spoken:?}: {told}");
    }
}

#[test]
fn every_word_that_can_be_said_is_a_file_in_both_languages() {
    let library = crate::media::Library::open(
        &[Path::new(env!("CARGO_MANIFEST_DIR")).join("sounds")],
        "en",
    )
    .expect("sounds");
    for language in [Language::English, Language::Japanese] {
        let mut what: Vec<Spoken<'_>> = (0..100_000).step_by(7).map(Spoken::Number).collect();
        what.extend((0..100).map(Spoken::Number));
        let counted = [
            Counted::Days,
            Counted::Hours,
            Counted::Minutes,
            Counted::People,
            Counted::Place,
            Counted::Seconds,
        ];
        for counted in counted {
            what.extend((0..130).map(|count| Spoken::Count(count, counted)));
        }
        for currency in ["EUR", "GBP", "JPY", "USD"] {
            let currency = Currency::of_code(currency).expect("known");
            what.extend((-3..1_000).map(|sum| Spoken::Money(sum, currency)));
        }
        what.push(Spoken::Digits("0123456789*#"));
        let all = what.iter().flat_map(|spoken| say(language, spoken));
        for name in all.collect::<std::collections::BTreeSet<_>>() {
            assert!(
                library.file(&format!("{language}/{name}"), None).is_some(),
                "{language}/{name}"
            );
        }
    }
}
