//! Where passwords and PINs come from, and that no report shows one.

use super::*;

#[test]
fn a_password_in_plain_text_is_not_repeated_in_the_report() {
    let report = load_with(&below("tests/data/broken/passwords"), &[]).expect_err("broken");
    assert!(!report.render(Style::Plain).contains("himitsu"));
    assert!(!report.to_string().contains("himitsu"));
}

/// A secret written without quotes, with a mistake on the line beside it.
#[test]
fn a_secret_of_any_type_is_not_repeated_in_the_report() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("written");
    };
    write("node.toml", "name = \"a\"\nregion = \"b\"\n");
    for secret in [
        "4821",
        "\"4821\"",
        "48.21",
        "[\"4821\",\n4821]",
        "{ a = 4821 }",
        "\"\"\"\n4821\n\"\"\"",
    ] {
        let phone = format!("[[phone]]\nnumber = \"10\"\npassword = {secret}\nfish = 1\n");
        write("phones.toml", &phone);
        let agent =
            format!("[[agent]]\nname = \"sato\"\nphone = \"10\"\npin = {secret}\nfish = 1\n");
        write("agents.toml", &agent);
        let report = load_with(directory.path(), &[]).expect_err("in plain text");
        let drawn = report.render(Style::Plain);
        for said in [&drawn, &report.to_string()] {
            assert!(!said.contains("4821") && !said.contains("48.21"), "{said}");
        }
        let told = report.problems.iter();
        let told = told.filter(|it| it.message.contains("in plain text"));
        let told: Vec<&Problem> = told.collect();
        assert_eq!((told.len(), report.errors()), (2, 4), "{drawn}");
        for (problem, line) in told.iter().zip([4, 3]) {
            assert!(problem.help.starts_with("write \"env:NAME\""), "{drawn}");
            assert_eq!(problem.place.line(), line, "{drawn}");
        }
    }
}

#[test]
fn passwords_come_from_the_environment_and_from_files() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let write = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("written");
    };
    write(
        "node.toml",
        "name = \"a\"\nregion = \"b\"\n[sip]\nlisten = \"udp:192.0.2.1:5060\"\n",
    );
    write("secret", "from a file\n");
    write(
        "phones.toml",
        "[[phone]]\nnumber = \"10\"\npassword = \"env:TEN\"\n\
         [[phone]]\nnumber = \"11\"\npassword = \"file:secret\"\n",
    );
    let office = load_with(directory.path(), &[("TEN", "of ten")]).expect("correct");
    for (number, password) in [("10", "of ten"), ("11", "from a file")] {
        let ha1 = crate::sip::auth::Ha1::from_password(number, "tsunagu", password);
        assert_eq!(office.phone(number).expect("read").ha1, ha1);
    }
    let report = load_with(directory.path(), &[("TEN", "tsunagu-10")]).expect_err("published");
    assert!(
        report.to_string().contains("published password"),
        "{report}"
    );
}
