"""What was recorded, asked of the REST API by the official client: listed, heard, deleted.

    python recordings.py API COUNT

COUNT recordings must be there, each of a second at least. The account is in TWILIO_ACCOUNT_SID and
TWILIO_AUTH_TOKEN. Ends with 0 when all is as the library wants it.
"""

import io
import os
import sys
import wave

import requests
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client

API, COUNT = sys.argv[1], int(sys.argv[2])

account = (os.environ["TWILIO_ACCOUNT_SID"], os.environ["TWILIO_AUTH_TOKEN"])
client = Client(*account)
client.api.base_url = API

recordings = client.recordings.list()
assert len(recordings) == COUNT, [one.source for one in recordings]
for one in recordings:
    assert (one.account_sid, one.status) == (account[0], "completed")
    assert one.sid in [own.sid for own in client.calls(one.call_sid).recordings.list()]
    url = f"{API}/2010-04-01/Accounts/{account[0]}/Recordings/{one.sid}"
    assert requests.get(url).status_code == 401
    sound = requests.get(url, auth=account)
    assert sound.status_code == 200, sound.text
    with wave.open(io.BytesIO(sound.content)) as wav:
        assert wav.getnchannels() == one.channels
        assert wav.getnframes() / wav.getframerate() >= 1
        assert abs(wav.getnframes() / wav.getframerate() - int(one.duration)) < 1
    mono = requests.get(f"{url}.wav?RequestedChannels=1", auth=account)
    assert wave.open(io.BytesIO(mono.content)).getnchannels() == 1
    assert client.recordings(one.sid).delete()
    try:
        client.recordings(one.sid).fetch()
        raise AssertionError("it was deleted")
    except TwilioRestException as error:
        assert error.code == 20404, error
assert client.recordings.list() == []
