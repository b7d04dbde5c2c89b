//! Calendars: judged, closed by hand, opened again.

use super::*;

const CLINIC: &str = "/v1/calendars/%E8%A8%BA%E7%99%82%E6%89%80";

fn send(address: SocketAddr, path: &str, body: &Value) -> (u16, Value) {
    let reply = agent()
        .post(format!("http://{address}{path}"))
        .header("content-type", "application/json")
        .send(body.to_string());
    read(reply.unwrap())
}

fn read(mut reply: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let text = reply.body_mut().read_to_string().unwrap();
    (
        reply.status().as_u16(),
        serde_json::from_str(&text).unwrap(),
    )
}

#[test]
fn a_calendar_says_open_or_closed_why_and_until_when() {
    let server = server();
    let (status, list) = get(server.api(), "/v1/calendars");
    assert_eq!(status, 200);
    let clinic = &list["calendars"][0];
    assert_eq!(clinic["name"], "診療所");
    assert_eq!(
        (&clinic["open"], &clinic["opens"]),
        (&json!(true), &Value::Null)
    );
    assert_eq!(clinic["time_zone"], "Asia/Tokyo");
    assert_eq!(clinic["rule"]["layer"], "weekly");
    assert_eq!(clinic["rule"]["place"], "calendars.toml:3");
    assert_eq!(clinic["until"], "2026-11-20T15:00:00.000Z");
    let night = format!("{CLINIC}?at=2026-11-20T16:00:00Z");
    let (_, night) = get(server.api(), &night);
    assert_eq!(
        (&night["open"], &night["opens"]),
        (&json!(false), &json!("2026-11-21T00:00:00.000Z"))
    );
    assert_eq!(get(server.api(), &format!("{CLINIC}?at=noon")).0, 400);
    assert_eq!(get(server.api(), "/v1/calendars/x").0, 404);
    server.stop();
}

#[test]
fn a_calendar_is_closed_by_hand_and_opened_again() {
    let server = server();
    let close = format!("{CLINIC}/close");
    let wish = json!({"reason": "台風", "until": "2026-11-20T12:00:00+09:00"});
    let (status, body) = send(server.api(), &close, &wish);
    assert_eq!((status, &body["closed"]), (200, &json!("診療所")), "{body}");
    let (_, clinic) = get(server.api(), CLINIC);
    assert_eq!(clinic["open"], false);
    assert_eq!(clinic["rule"]["layer"], "emergency");
    assert_eq!(clinic["rule"]["name"], "台風");
    assert_eq!(clinic["rule"]["place"], "closed/診療所");
    assert_eq!(clinic["until"], "2026-11-20T03:00:00.000Z");
    assert_eq!(clinic["opens"], "2026-11-20T03:00:00.000Z");
    let delete = |path: &str| {
        read(
            agent()
                .delete(format!("http://{}{path}", server.api()))
                .call()
                .unwrap(),
        )
    };
    assert_eq!(delete(&close).0, 200);
    assert_eq!(delete(&close).0, 404);
    assert_eq!(delete("/v1/calendars/x/close").0, 404);
    assert_eq!(get(server.api(), CLINIC).1["open"], true);

    // All of them, without a body.
    let all = format!("http://{}/v1/calendars/all/close", server.api());
    let (status, _) = read(agent().post(all).send_empty().unwrap());
    assert_eq!(
        (status, &get(server.api(), CLINIC).1["open"]),
        (200, &json!(false))
    );

    for (path, wish, expected) in [
        (
            close.as_str(),
            json!({"until": "2026-11-20T09:00:00+09:00"}),
            400,
        ),
        (close.as_str(), json!({"until": "tomorrow"}), 400),
        (close.as_str(), json!({"why": "x"}), 400),
        (close.as_str(), json!({"reason": "x".repeat(501)}), 400),
        ("/v1/calendars/x/close", json!({}), 404),
    ] {
        let (status, body) = send(server.api(), path, &wish);
        assert_eq!(status, expected, "{path} {wish}: {body}");
    }
    server.stop();
}
