//! Dead letters: listed, replayed, thrown out.

use super::*;

fn letter(id: &str) -> LetterView {
    LetterView {
        id: id.to_owned(),
        to: "crm".to_owned(),
        what: "status callback".to_owned(),
        call: None,
        made: "2026-01-01T00:00:00.000Z".to_owned(),
        died: "2026-01-01T00:10:00.000Z".to_owned(),
        tries: 5,
        kind: "refused".to_owned(),
        words: "nobody listens there".to_owned(),
    }
}

#[test]
fn dead_letters_are_listed_replayed_and_thrown_out() {
    let (server, switch) = serving();
    *switch.letters.lock().unwrap() = vec![letter("b"), letter("a")];
    let (status, body) = get(server.api(), "/v1/dead-letters?limit=1");
    assert_eq!((status, &body["dead_letters"][0]["id"]), (200, &json!("b")));
    assert_eq!(body["dead_letters"].as_array().unwrap().len(), 1);
    for bad in ["limit=0", "limit=1001", "limit=x", "fish=1"] {
        let (status, _) = get(server.api(), &format!("/v1/dead-letters?{bad}"));
        assert_eq!(status, 400, "{bad}");
    }
    let url = |path: &str| format!("http://{}/v1/dead-letters/{path}", server.api());
    for (id, expected) in [
        ("a", 202),
        ("none", 404),
        ("way", 409),
        ("busy", 429),
        ("disk", 500),
    ] {
        let reply = agent()
            .post(url(&format!("{id}/replay")))
            .send_empty()
            .unwrap();
        assert_eq!(reply.status().as_u16(), expected, "{id}");
    }
    for expected in [204, 404] {
        let reply = agent().delete(url("a")).call().unwrap();
        assert_eq!(reply.status().as_u16(), expected);
    }
}
