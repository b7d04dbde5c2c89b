//! Workers with attributes as plans in production have them, for what judging and finding them costs.

use serde_json::{Map, Value, json};

/// Three conditions of one worker; they hold for worker 7.
pub(crate) const THREE_CONDITIONS: &str =
    "skills HAS 'support' AND language == 'ja' AND level >= 3";

/// A worker by the task's own attribute.
pub(crate) const BY_EMAIL: &str = "task.email == worker.email";

/// Six attributes; the level of a worker is from one to five.
pub(crate) fn worker(number: u32) -> Map<String, Value> {
    let rare = if number % 1000 == 77 { "rare" } else { "sales" };
    object(json!({
        "email": format!("agent{number}@example.com"),
        "contact_uri": format!("client:agent{number}"),
        "department_id": number % 10 + 1 - u32::from(number == 77) * 5,
        "skills": [rare, "support", "vip"],
        "language": if number.is_multiple_of(3) { "en" } else { "ja" },
        "level": number % 5 + 1,
    }))
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
