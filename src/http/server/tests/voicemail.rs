//! Messages over HTTP.

use super::*;
use crate::media::recorder::Format;
use crate::voicemail::tests::Recorder;
use crate::voicemail::{Finished, Keeper, Shelf};

#[test]
fn messages_are_listed_fetched_marked_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::new(folder.path(), Format::Flac);
    let mut shelf = Shelf::open(folder.path(), Arc::default()).unwrap();
    for id in ["a", "b"] {
        shelf.file(&Finished::of(&recorder.message(id, 150), false));
    }
    let switch = Arc::new(Switch {
        voicemail: Some(Keeper::new(shelf, |_, _| {})),
        ..Switch::default()
    });
    let (_router, desk) = routing::start(&MemoryJournal::new(), Box::new(|_, _| {}));
    let server = serve_with(switch, desk);
    let api = server.api();

    let (status, all) = get(api, "/v1/voicemail");
    let own = json!({"name": "1010", "new": 2, "old": 0, "full": false, "greeting": false});
    assert_eq!((status, &all["mailboxes"]), (200, &json!([own])));
    let (_, list) = get(api, "/v1/voicemail/1010");
    assert_eq!(list["messages"][0]["id"], "a");
    assert_eq!(list["messages"][0]["from"], "+819012345678");
    assert_eq!(list["messages"][0]["length_ms"], 3000);
    assert_eq!(get(api, "/v1/voicemail/none").0, 404);
    assert_eq!(get(api, "/v1/voicemail/1010/none").0, 404);

    let url = |path: &str| format!("http://{api}/v1/voicemail/1010/{path}");
    let mut sound = agent().get(url("a/audio")).call().unwrap();
    assert_eq!(sound.headers()["content-type"], "audio/wav");
    let octets = sound.body_mut().read_to_vec().unwrap();
    let reader = hound::WavReader::new(&octets[..]).unwrap();
    assert_eq!((reader.spec().channels, reader.duration()), (1, 24_000));
    let (_, unheard) = get(api, "/v1/voicemail/1010/a");
    assert_eq!(unheard["heard"], false, "fetched is not heard");

    let marked = agent()
        .patch(url("a"))
        .send_json(json!({"heard": true, "saved": true}));
    assert_eq!(marked.unwrap().status(), 200);
    let wrong = agent().patch(url("a")).send_json(json!({"read": true}));
    assert_eq!(wrong.unwrap().status(), 400);
    let (_, now) = get(api, "/v1/voicemail/1010/a");
    assert_eq!((&now["heard"], &now["saved"]), (&json!(true), &json!(true)));
    assert_eq!(agent().delete(url("b")).call().unwrap().status(), 204);
    assert_eq!(agent().delete(url("b")).call().unwrap().status(), 404);
    let (_, all) = get(api, "/v1/voicemail");
    assert_eq!(all["mailboxes"][0]["old"], 1);
    assert_eq!(all["mailboxes"][0]["new"], 0);
    server.stop();
}
