//! A side of a call in a few words a line, written out as SIPp's XML.
//!
//! ```text
//! > INVITE sdp            sends a request; "again" repeats the last INVITE, "branch=x" by another
//!                         way, "anew" is for the next try after a refusal ("ACK refused")
//!   Supported: 100rel     ... with this header
//! < 183                   waits for a response; "183?" may also not come; "200 PRACK" says of what
//!   = RSeq: [0-9]+        ... whose header must fit the expression
//!   ! Session-Expires     ... which must not say this anywhere
//! > 200 INVITE sdp tag=b  answers a request that came, from early dialog b (a when it does not say)
//! < BYE                   waits for a request
//! ~ 500                   pauses, milliseconds; nothing may come meanwhile
//! @ VOICE.pcap            speaks from a capture file while the rest goes on
//! ```

use std::collections::BTreeSet;
use std::fmt::Write as _;

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Caller,
    Callee,
}

/// Writes the XML of a script.
pub(super) fn written(side: Side, script: &str) -> String {
    let mut writer = Writer {
        side,
        cseq: 0,
        invite: (0, String::new()),
        is_initial: false,
        answered: false,
        variables: BTreeSet::from(["checked".to_owned()]),
        xml: String::new(),
    };
    let lines: Vec<&str> = script
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let mut rest = &lines[..];
    while let Some((first, after)) = rest.split_first() {
        let is_more = |line: &&str| !line.trim_start().starts_with(['>', '<', '~', '@']);
        let count = after.iter().take_while(|line| is_more(line)).count();
        let more: Vec<&str> = after[..count].iter().map(|line| line.trim()).collect();
        writer.act(first.trim(), &more);
        rest = &after[count..];
    }
    writer.finished()
}

struct Writer {
    side: Side,
    /// Of the last request of ours.
    cseq: u32,
    /// CSeq and branch of our last INVITE.
    invite: (u32, String),
    /// Whether that INVITE has no tag in To.
    is_initial: bool,
    /// Whether we answered their INVITE: the tag of every To is known now.
    answered: bool,
    /// SIPp insists that each is used.
    variables: BTreeSet<String>,
    xml: String,
}

impl Writer {
    fn act(&mut self, line: &str, more: &[&str]) {
        let (sign, words) = line.split_at(1);
        let words: Vec<&str> = words.split_whitespace().collect();
        match sign {
            "~" => {
                let _ = writeln!(self.xml, "  <pause milliseconds=\"{}\"/>", words[0]);
            }
            "@" => {
                let _ = writeln!(
                    self.xml,
                    "  <nop><action><exec play_pcap_audio=\"{}\"/></action></nop>",
                    words[0]
                );
            }
            "<" => self.receive(&words, more),
            ">" if words[0].starts_with(|c: char| c.is_ascii_digit()) => self.respond(&words, more),
            ">" => self.request(&words, more),
            _ => panic!("no such line: {line}"),
        }
    }

    fn receive(&mut self, words: &[&str], more: &[&str]) {
        let is_optional = words[0].ends_with('?');
        let what = words[0].trim_end_matches('?');
        let is_response = what.starts_with(|c: char| c.is_ascii_digit());
        let kind = if is_response { "response" } else { "request" };
        let _ = write!(self.xml, "  <recv {kind}=\"{what}\"");
        if is_optional {
            self.xml.push_str(" optional=\"true\"");
        }
        // A 1xx or 2xx of an INVITE brings the Contact; so does an INVITE.
        let brings_contact =
            what == "INVITE" || (is_response && words.get(1).is_none_or(|of| *of == "INVITE"));
        if brings_contact {
            self.xml.push_str(" rrs=\"true\"");
        }
        let mut actions = String::new();
        let mut keep = |header: &str, name: String| {
            let _ = writeln!(
                actions,
                "    <ereg regexp=\".*\" search_in=\"hdr\" header=\"{header}:\" assign_to=\"{name}\"/>"
            );
            self.variables.insert(name);
        };
        if is_response {
            if self.side == Side::Caller && brings_contact && what != "100" {
                keep("To", "remote".to_owned());
            }
        } else {
            for header in ["Via", "CSeq", "To", "From"] {
                keep(header, format!("{}_{what}", header.to_lowercase()));
            }
            if self.side == Side::Callee && what == "INVITE" && !self.answered {
                keep("From", "remote".to_owned());
                keep("To", "us".to_owned());
            }
        }
        if is_response && more.iter().any(|check| check.starts_with("= RSeq:")) {
            let _ = writeln!(
                actions,
                "    <ereg regexp=\"[0-9]+\" search_in=\"hdr\" header=\"RSeq:\" assign_to=\"rseq\"/>"
            );
            self.variables.insert("rseq".to_owned());
        }
        let of = words.get(1).map(|method| format!("= CSeq: {method}"));
        for check in of.as_deref().into_iter().chain(more.iter().copied()) {
            let escape = |text: &str| {
                text.replace('&', "&amp;")
                    .replace('"', "&quot;")
                    .replace('<', "&lt;")
            };
            if let Some(rule) = check.strip_prefix("= ") {
                let (header, rule) = rule.split_once(": ").expect("= Header: expression");
                let _ = writeln!(
                    actions,
                    "    <ereg regexp=\"{}\" search_in=\"hdr\" header=\"{header}:\" check_it=\"true\" assign_to=\"checked\"/>",
                    escape(rule)
                );
            } else if let Some(words) = check.strip_prefix("! ") {
                let _ = writeln!(
                    actions,
                    "    <ereg regexp=\"{}\" search_in=\"msg\" check_it_inverse=\"true\" assign_to=\"checked\"/>",
                    escape(words)
                );
            } else {
                panic!("no such check: {check}");
            }
        }
        if actions.is_empty() {
            self.xml.push_str("/>\n");
        } else {
            let _ = write!(
                self.xml,
                ">\n   <action>\n{actions}   </action>\n  </recv>\n"
            );
        }
    }

    fn request(&mut self, words: &[&str], more: &[&str]) {
        let method = words[0];
        let is_again = words.contains(&"again");
        let value = |key: &str| words.iter().find_map(|word| word.strip_prefix(key));
        if method == "INVITE" && !is_again {
            let is_anew = self.cseq == 0 || words.contains(&"anew");
            self.is_initial = self.side == Side::Caller && is_anew;
        }
        let is_first = self.is_initial && ["INVITE", "CANCEL"].contains(&method);
        let (cseq, branch) = match method {
            "CANCEL" => self.invite.clone(),
            "INVITE" if is_again => {
                let branch = self.invite.1.clone();
                let other = value("branch=").map(|other| format!("{branch}{other}"));
                (self.invite.0, other.unwrap_or(branch))
            }
            "ACK" if words.contains(&"refused") => self.invite.clone(),
            "ACK" => (
                self.invite.0,
                format!("z9hG4bK[pid]x[call_number]ack{}", self.invite.0),
            ),
            _ => {
                self.cseq += 1;
                (
                    self.cseq,
                    format!("z9hG4bK{:?}[pid]x[call_number]n{}", self.side, self.cseq),
                )
            }
        };
        if method == "INVITE" && !is_again {
            self.invite = (cseq, branch.clone());
        }
        let number = "sip:{{number}}@[remote_ip]:[remote_port]";
        let caller = "<sip:{{caller}}@[local_ip]:[local_port]>;tag=[pid]d[call_number]";
        let uri = if is_first || (self.is_initial && words.contains(&"refused")) {
            number
        } else {
            "[next_url]"
        };
        let (from, to) = match self.side {
            Side::Caller if is_first => (format!(" {caller}"), format!(" <{number}>")),
            Side::Caller => (format!(" {caller}"), "[$remote]".to_owned()),
            Side::Callee => (
                format!(
                    "[$us];tag=[pid]d[call_number]{}",
                    value("tag=").unwrap_or("a")
                ),
                "[$remote]".to_owned(),
            ),
        };
        let mut text = format!(
            "{method} {uri} SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}\n\
             From:{from}\nTo:{to}\nCall-ID: [call_id]\nCSeq: {cseq} {method}\nMax-Forwards: 70\n"
        );
        if method == "PRACK" {
            let _ = writeln!(text, "RAck: [$rseq] {} INVITE", self.invite.0);
        }
        if ["INVITE", "UPDATE"].contains(&method) {
            text.push_str(CONTACT);
        }
        self.send(text, words.contains(&"sdp"), more);
        if method == "INVITE" && !is_again {
            self.receive(&["100?"], &[]);
        }
    }

    fn respond(&mut self, words: &[&str], more: &[&str]) {
        let (status, method) = (words[0], words[1]);
        let tag = words.iter().find_map(|word| word.strip_prefix("tag="));
        let is_first = self.side == Side::Callee && method == "INVITE";
        let tag = match tag {
            Some(tag) if is_first => format!(";tag=[pid]d[call_number]{tag}"),
            None if is_first && !self.answered => ";tag=[pid]d[call_number]a".to_owned(),
            _ => String::new(),
        };
        let mut text = format!(
            "SIP/2.0 {status} Words\nVia:[$via_{method}]\nFrom:[$from_{method}]\n\
             To:[$to_{method}]{tag}\nCall-ID: [call_id]\nCSeq:[$cseq_{method}]\n"
        );
        if ["INVITE", "UPDATE"].contains(&method) {
            text.push_str(CONTACT);
        }
        self.send(text, words.contains(&"sdp"), more);
        if method == "INVITE" && status.starts_with('2') {
            self.answered = true;
        }
    }

    fn send(&mut self, mut text: String, has_sdp: bool, more: &[&str]) {
        for header in more {
            let _ = writeln!(text, "{header}");
        }
        if has_sdp {
            text.push_str(SDP);
        } else {
            text.push_str("Content-Length: 0\n");
        }
        let indented: Vec<String> = text
            .lines()
            .map(|line| match line {
                "" => String::new(),
                line => format!("      {line}"),
            })
            .collect();
        let _ = write!(
            self.xml,
            "  <send><![CDATA[\n\n{}\n\n    ]]></send>\n",
            indented.join("\n")
        );
    }

    fn finished(mut self) -> String {
        let names: Vec<&str> = self.variables.iter().map(String::as_str).collect();
        let names = names.join(",");
        let unused = if self.xml.contains("\"checked\"") {
            names
        } else {
            names.replacen("checked,", "", 1).replace("checked", "")
        };
        if !unused.is_empty() {
            let _ = writeln!(self.xml, "  <Reference variables=\"{unused}\"/>");
        }
        self.xml
    }
}

const CONTACT: &str = "Contact: <sip:party@[local_ip]:[local_port]>\n";

const SDP: &str = "Content-Type: application/sdp
Content-Length: [len]

v=0
o=party 53655765 2353687637 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [auto_media_port] RTP/AVP 0 96
a=rtpmap:0 PCMU/8000
a=rtpmap:96 telephone-event/8000
a=fmtp:96 0-15
a=ptime:20
a=sendrecv
";
