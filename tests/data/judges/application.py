"""A web application as somebody would write it for the public platform, with nothing that knows of
this switch: Flask, documents by the official library, a signature demanded of every request.

    python application.py ADDRESS PORT FILE

FILE gets a line of JSON for each request. TWILIO_AUTH_TOKEN is the account's token.
"""

import json
import os
import sys

from flask import Flask, Response, abort, request
from twilio.request_validator import RequestValidator
from twilio.twiml.voice_response import Dial, Gather, VoiceResponse

app = Flask(__name__)
validator = RequestValidator(os.environ["TWILIO_AUTH_TOKEN"])


@app.before_request
def only_signed():
    signature = request.headers.get("X-Twilio-Signature", "")
    good = validator.validate(request.url, request.form, signature)
    with open(sys.argv[3], "a") as log:
        said = {"path": request.path, "good": good, **request.values.to_dict()}
        log.write(json.dumps(said) + "\n")
    if not good:
        abort(403)


def document(response):
    return Response(str(response), mimetype="text/xml")


@app.route("/start", methods=["POST"])
def start():
    response = VoiceResponse()
    gather = Gather(num_digits=1, action="/chosen", timeout=20)
    gather.say("Press one.", language="en")
    response.append(gather)
    response.hangup()
    return document(response)


@app.route("/chosen", methods=["POST"])
def chosen():
    response = VoiceResponse()
    if request.form["Digits"] == "1":
        response.enqueue("callers", action="/left", wait_url="/wait")
    return document(response)


@app.route("/wait", methods=["POST"])
def wait():
    response = VoiceResponse()
    response.pause(length=1)
    response.leave()
    return document(response)


@app.route("/left", methods=["POST"])
def left():
    response = VoiceResponse()
    dial = Dial(action="/dialled", timeout=20, record="record-from-answer-dual")
    dial.client("1001", status_callback="/status", status_callback_event="answered completed")
    response.append(dial)
    return document(response)


@app.route("/dialled", methods=["POST"])
def dialled():
    response = VoiceResponse()
    response.record(action="/recorded", max_length=2, play_beep=False, timeout=10)
    return document(response)


@app.route("/recorded", methods=["POST"])
@app.route("/goodbye", methods=["POST"])
def goodbye():
    response = VoiceResponse()
    response.hangup()
    return document(response)


@app.route("/hold", methods=["POST"])
def hold():
    response = VoiceResponse()
    response.pause(length=60)
    return document(response)


@app.route("/status", methods=["POST"])
def status():
    return "", 204


app.run(sys.argv[1], int(sys.argv[2]), threaded=True)
