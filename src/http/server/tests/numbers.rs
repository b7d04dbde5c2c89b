//! Numbers that lead elsewhere by hand.

use super::*;

const NUMBER: &str = "/v1/numbers/%2B81312345678/override";

fn read(mut reply: ureq::http::Response<ureq::Body>) -> (u16, Value) {
    let text = reply.body_mut().read_to_string().unwrap();
    (
        reply.status().as_u16(),
        serde_json::from_str(&text).unwrap(),
    )
}

fn put(address: SocketAddr, path: &str, body: &Value) -> (u16, Value) {
    let reply = agent()
        .put(format!("http://{address}{path}"))
        .header("content-type", "application/json")
        .send(body.to_string());
    read(reply.unwrap())
}

#[test]
fn a_number_is_led_elsewhere_and_back() {
    let server = server();
    let delete = |path: &str| {
        let path = format!("http://{}{path}", server.api());
        read(agent().delete(path).call().unwrap())
    };
    let list = || get(server.api(), "/v1/numbers/overrides").1;
    assert_eq!(list(), json!({"overrides": []}));
    // In whichever form it is written.
    let wish = json!({
        "flow": "maintenance", "until": "2099-01-01T08:00:00+09:00", "reason": "新しい案内",
    });
    let (status, body) = put(server.api(), "/v1/numbers/100/override", &wish);
    assert_eq!(
        (status, &body["number"]),
        (200, &json!("+81312345678")),
        "{body}"
    );
    assert_eq!(body["until"], "2098-12-31T23:00:00.000Z");
    assert_eq!(list()["overrides"], json!([body]));
    assert_eq!(delete(NUMBER), (200, json!({"lifted": "+81312345678"})));
    assert_eq!(delete(NUMBER).0, 404);

    for (path, wish, expected) in [
        (NUMBER, json!({}), 400),
        (NUMBER, json!({"flow": "no-such"}), 400),
        (NUMBER, json!({"flow": "maintenance", "until": "soon"}), 400),
        (
            NUMBER,
            json!({"flow": "maintenance", "until": "2000-01-01T00:00:00Z"}),
            400,
        ),
        (
            NUMBER,
            json!({"flow": "maintenance", "reason": "x".repeat(501)}),
            400,
        ),
        (NUMBER, json!({"flow": "maintenance", "why": "x"}), 400),
        (
            "/v1/numbers/77/override",
            json!({"flow": "maintenance"}),
            404,
        ),
    ] {
        let (status, body) = put(server.api(), path, &wish);
        assert_eq!(status, expected, "{path} {wish}: {body}");
    }
    server.stop();
}
