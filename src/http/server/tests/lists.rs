//! Lists of tasks and offers when there are many.

use std::time::Instant;

use super::routing::{Site, plan, text};
use super::*;
use crate::base::ShardId;
use crate::router::{Command, Destination, NewTask};

const HIM: &str = "%E8%8A%B1%E5%AD%90";

fn ids(list: &Value, of: &str) -> Vec<String> {
    let all = list[of].as_array().unwrap();
    all.iter().map(|one| text(&one["id"])).collect()
}

/// With more tasks than a list shows it says so; what a worker has is shown whatever there is.
#[test]
fn what_a_worker_has_is_found_among_any_number_of_tasks() {
    let mut plan = plan();
    plan.queues[0].max_waiting = 10_000;
    let site = Site::with(&plan, crate::router::Settings::default());
    let him = format!("/v1/workers/{HIM}");
    let away = site.send("PATCH", &him, &json!({"activity": "lunch"}));
    assert_eq!(away.status, 200);
    for number in 0..1_010 {
        let new = NewTask {
            task: TaskId::new(format!("t{number}")),
            call: None,
            to: Destination::Queue("chats".to_owned()),
            channel: "chat".to_owned(),
            priority: number / 1_007,
            ..NewTask::of_call(TaskId::new(""), CallId::new(""), "")
        };
        let command = Command::CreateTask(Box::new(new));
        let sent = || site.router.send(ShardId(0), command.clone()).is_ok();
        until("room for one more", sent);
    }
    let back = site.send("PATCH", &him, &json!({"activity": "ready"}));
    assert_eq!(back.status, 200, "{back:?}");

    let (_, his) = site.get(&format!("/v1/tasks?worker={HIM}"));
    let last = ["t1007", "t1008", "t1009"];
    assert_eq!(ids(&his, "tasks"), last);
    assert_eq!(his["truncated"], false);
    let (_, pending) = site.get(&format!("/v1/tasks?worker={HIM}&status=pending"));
    assert_eq!(pending["tasks"], json!([]));
    let (_, offers) = site.get(&format!("/v1/reservations?worker={HIM}"));
    assert_eq!(ids(&offers, "reservations").len(), 3);
    let (_, offer) = site.get("/v1/reservations?task=t1008");
    assert_eq!(ids(&offer, "reservations"), ["t1008.1"]);
    let (_, none) = site.get(&format!("/v1/reservations?task=t1&worker={HIM}"));
    assert_eq!(none["reservations"], json!([]));
    // Lists of all may be a few milliseconds old.
    let patience = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, all) = site.get("/v1/tasks");
        if all["truncated"] == true {
            assert_eq!(all["tasks"].as_array().unwrap().len(), 1_000);
            break;
        }
        assert!(Instant::now() < patience, "it is never said");
    }
    assert_eq!(site.get("/v1/reservations").1["truncated"], true);
}

/// Those in after-call work are the worker's still.
#[test]
fn after_call_work_is_listed_with_its_worker() {
    let site = Site::open();
    let (task, offer) = site.chat();
    let accept = format!("/v1/reservations/{offer}/accept");
    assert_eq!(site.send("POST", &accept, &json!({})).status, 200);
    let path = format!("/v1/tasks/{task}/complete");
    assert_eq!(site.send("POST", &path, &json!({})).status, 200);
    let (_, his) = site.get(&format!("/v1/tasks?worker={HIM}&status=wrapping"));
    assert_eq!(ids(&his, "tasks"), [task]);
    let (_, his) = site.get(&format!("/v1/reservations?worker={HIM}"));
    assert_eq!(his["reservations"][0]["status"], "wrapping");
    assert_eq!(ids(&his, "reservations"), [offer]);
}

#[test]
fn words_that_mean_nothing_are_refused() {
    let site = Site::open();
    for path in [
        "/v1/tasks?status=foo",
        "/v1/tasks?status=wrapping",
        "/v1/workers?state=foo",
    ] {
        let (status, body) = site.get(path);
        assert_eq!(status, 400, "{path}");
        let words = text(&body["error"]);
        assert!(words.contains("pending") || words.contains("free") || words.contains("worker"));
    }
    assert_eq!(site.get("/v1/workers?state=wrap_up").0, 200);
    assert_eq!(site.get("/v1/tasks?status=pending").0, 200);
}
