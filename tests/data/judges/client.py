"""The official REST client, with nothing changed but its base URL: creates, finds, redirects, ends
and lists calls, turns pages, and hears what is wrong by number.

    python client.py API APPLICATION

API and APPLICATION are URLs. The account is in TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN. Ends with 0
when all is as the library wants it.
"""

import os
import sys
import time

from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

API, APPLICATION = sys.argv[1:3]
OURS, PHONE = "+81312345678", "client:1002"

client = Client(os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
client.api.base_url = API


def until(what, look, limit=20):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for: {what}")


def refused(code, act):
    try:
        act()
    except TwilioRestException as error:
        assert error.code == code, error
    else:
        raise AssertionError(f"{code} was expected")


account = client.api.accounts(client.account_sid).fetch()
assert (account.sid, account.status) == (client.account_sid, "active")

# A call, from its making to its end.
call = client.calls.create(
    to=PHONE,
    from_=OURS,
    url=f"{APPLICATION}/hold",
    status_callback=f"{APPLICATION}/status",
    status_callback_event=["initiated", "ringing", "answered", "completed"],
    timeout=20,
)
assert call.direction == "outbound-api" and call.status in ("queued", "ringing"), call.status
assert (call.to, call._from) == (PHONE, OURS)
until("an answer", lambda: client.calls(call.sid).fetch().status == "in-progress")
assert call.sid in [one.sid for one in client.calls.list(status="in-progress")]
assert call.sid not in [one.sid for one in client.calls.list(status="completed")]
refused(21220, lambda: client.calls(call.sid).update(status="canceled"))
client.calls(call.sid).update(url=f"{APPLICATION}/hold?again=1", method="POST")
time.sleep(1)
assert client.calls(call.sid).fetch().status == "in-progress"
client.calls(call.sid).update(status="completed")
ended = until("the end", lambda: (now := client.calls(call.sid).fetch()).status == "completed" and now)
assert int(ended.duration) >= 1 and ended.end_time >= ended.start_time, ended.duration
refused(21220, lambda: client.calls(call.sid).update(status="completed"))

# One whose document is handed over, and that ends by itself.
short = client.calls.create(to=PHONE, from_=OURS, twiml="<Response><Pause length='1'/></Response>")
until("its end", lambda: client.calls(short.sid).fetch().status == "completed")

# One that is redirected to a document that hangs up.
third = client.calls.create(to=PHONE, from_=OURS, url=f"{APPLICATION}/hold")
until("an answer", lambda: client.calls(third.sid).fetch().status == "in-progress")
client.calls(third.sid).update(twiml="<Response><Hangup/></Response>")
until("its end", lambda: client.calls(third.sid).fetch().status == "completed")

# One that is recorded while it goes on, but for a card number.
talk = client.calls.create(to=PHONE, from_=OURS, url=f"{APPLICATION}/hold")
refused(20404, lambda: client.calls(talk.sid).recordings("Twilio.CURRENT").update(status="paused"))
until("an answer", lambda: client.calls(talk.sid).fetch().status == "in-progress")
tape = client.calls(talk.sid).recordings.create(
    recording_channels="dual",
    recording_status_callback=f"{APPLICATION}/status",
    recording_status_callback_event=["in-progress", "completed"],
)
assert (tape.status, tape.source, tape.call_sid) == ("in-progress", "StartCallRecordingAPI", talk.sid)
refused(21220, lambda: client.calls(talk.sid).recordings.create())
current = client.calls(talk.sid).recordings("Twilio.CURRENT")
time.sleep(1)
assert current.update(status="paused", pause_behavior="silence").status == "paused"
assert client.calls(talk.sid).recordings(tape.sid).fetch().status == "paused"
refused(20001, lambda: current.update(status="paused", pause_behavior="skip"))
assert client.calls(talk.sid).recordings(tape.sid).update(status="in-progress").status == "in-progress"
assert current.update(status="stopped").status in ("stopped", "completed")
done = until("the recording", lambda: (it := client.recordings(tape.sid).fetch()).status == "completed" and it)
assert done.channels == 2 and int(done.duration) >= 1 and done.source == "StartCallRecordingAPI"
refused(21220, lambda: client.calls(talk.sid).recordings(tape.sid).update(status="paused"))
refused(20404, lambda: current.update(status="stopped"))
assert client.calls(talk.sid).recordings.create(recording_track="inbound").sid != tape.sid
assert len(client.calls(talk.sid).recordings.list()) == 2
client.calls(talk.sid).update(status="completed")
until("the end", lambda: client.calls(talk.sid).fetch().status == "completed")
refused(21220, lambda: client.calls(talk.sid).recordings.create())

# Somebody is called into a conference that nobody is in yet.
guest = client.conferences("judged").participants.create(
    to=PHONE, from_=OURS, label="guest", wait_url="", conference_record="true"
)
room = until("him", lambda: client.conferences.list(friendly_name="judged"))[0]
assert guest.conference_sid == room.sid, guest.conference_sid
assert room.recordings.list() == []
assert client.conferences(guest.conference_sid).participants("guest").fetch().call_sid == guest.call_sid
client.calls(guest.call_sid).update(status="completed")
until("nobody", lambda: client.conferences.list(friendly_name="judged") == [])
until("the end", lambda: client.calls(guest.call_sid).fetch().status == "completed")

# Queues that programs make, and conferences, of which there are none.
queue = client.queues.create(friendly_name="judged", max_size=7)
assert (queue.max_size, queue.current_size) == (7, 0)
assert queue.sid in [one.sid for one in client.queues.list()]
assert client.queues(queue.sid).members.list() == []
assert client.queues(queue.sid).update(max_size=9).max_size == 9
assert client.queues(queue.sid).delete()
refused(20404, lambda: client.queues(queue.sid).fetch())
assert client.conferences.list(status="in-progress") == []

# Lists, page by page, and with filters.
made = [guest.call_sid, talk.sid, third.sid, short.sid, call.sid]
paged = [one.sid for one in client.calls.stream(page_size=1)]
assert [sid for sid in paged if sid in made] == made, paged
assert len(paged) == len(set(paged)) >= len(made)
assert [one.sid for one in client.calls.list(to=PHONE)] == made
assert len(client.calls.list(limit=2)) == 2
assert client.calls.list(start_time_after="2999-01-01") == []

# What cannot be.
refused(20404, lambda: client.calls("CA" + "0" * 32).fetch())
refused(21211, lambda: client.calls.create(to="client:nobody", from_=OURS, url=APPLICATION))
refused(21210, lambda: client.calls.create(to=PHONE, from_="+15550001", url=APPLICATION))
refused(21205, lambda: client.calls.create(to=PHONE, from_=OURS, url="nowhere"))
stranger = Client(client.account_sid, "wrong")
stranger.api.base_url = API
refused(20003, lambda: stranger.calls("CA" + "0" * 32).fetch())
