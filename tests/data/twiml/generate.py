#!/usr/bin/env python3
"""Writes sdk/*.xml with the official `twilio` library: every voice verb and noun with every
attribute the library knows. It stops when the library knows one that has no value here.

    python3 -m venv v && v/bin/pip install twilio==9.13.0
    v/bin/python tests/data/twiml/generate.py
"""

import inspect
import pathlib
import shutil

from twilio.twiml import voice_response as v

OUT = pathlib.Path(__file__).parent / "sdk"

# A value for each parameter, by name; (verb, name) where they differ.
VALUES = {
    "account_sid": "AC00000000000000000000000000000001",
    "action": "/action?x=1&y=2",
    "action_on_empty_result": True,
    "amd_status_callback": "/amd",
    "amd_status_callback_method": "POST",
    "answer_on_bridge": True,
    "barge_in": True,
    "beep": "onEnter",
    "byoc": "BY00000000000000000000000000000001",
    "caller_id": "+81312345678",
    "coach": "CA00000000000000000000000000000001",
    "debug": False,
    "digits": "1w2W#",
    "end_conference_on_exit": True,
    "enhanced": True,
    "event_callback_url": "/events",
    "events": "call-progress-event",
    "finish_on_key": "*",
    "hangup_on_star": True,
    "hints": "sales, support",
    "input": "dtmf speech",
    "jitter_buffer_size": "small",
    "language": "ja-JP",
    "length": 3,
    "loop": 2,
    "machine_detection": "Enable",
    "machine_detection_silence_timeout": 5000,
    "machine_detection_speech_end_threshold": 1200,
    "machine_detection_speech_threshold": 2400,
    "machine_detection_timeout": 30,
    "max_length": 60,
    "max_participants": 10,
    "max_queue_size": 100,
    "max_speech_time": 30,
    "method": "GET",
    "muted": True,
    "num_digits": 4,
    "partial_result_callback": "/partial",
    "partial_result_callback_method": "GET",
    "participant_label": "customer",
    "passports": "x",
    "password": "secret",
    "play_beep": False,
    "post_work_activity_sid": "WA00000000000000000000000000000001",
    "priority": 5,
    "profanity_filter": False,
    "reason": "busy",
    "record": "record-from-answer-dual",
    ("conference", "record"): "record-from-start",
    "recording_configuration_id": "RC1",
    "recording_status_callback": "/recording",
    "recording_status_callback_event": "in-progress completed absent",
    "recording_status_callback_method": "GET",
    "recording_track": "both",
    "refer_method": "GET",
    "refer_url": "/refer",
    "region": "jp1",
    "reservation_sid": "WR00000000000000000000000000000001",
    "ring_tone": "jp",
    "send_digits": "wwww1928",
    "sequential": True,
    "speech_model": "phone_call",
    "speech_timeout": "auto",
    "start_conference_on_enter": False,
    "status_callback": "/status",
    "status_callback_event": "initiated ringing answered completed",
    ("conference", "status_callback_event"): "start end join leave mute hold modify speaker announcement",
    "status_callback_method": "GET",
    "time_limit": 600,
    "timeout": 7,
    "transcribe": True,
    "transcribe_callback": "/transcribe",
    "trim": "do-not-trim",
    "url": "https://app.example/next.xml",
    "username": "alice",
    "voice": "Polly.Mizuki",
    "wait_method": "GET",
    "wait_url": "https://app.example/wait.xml",
    "wait_url_method": "GET",
    "workflow_sid": "WW00000000000000000000000000000001",
    # What stands inside of an element.
    "body": '{"skill": "billing", "note": "a < b & c"}',
    "identity": "alice",
    "message": "Good morning & welcome <here>",
    "name": "Support 1",
    "number": "+81-3-1234-5678",
    "phone_number": "+81 90 1234 5678",
    "sip_url": "sip:alice@example.com;transport=tcp?X-Ticket=7",
}


def call(parent, verb, leave_out=(), **more):
    """Calls a method of the library with a value for every parameter."""
    method = getattr(parent, verb)
    arguments = {}
    for name in inspect.signature(method).parameters:
        if name in ("kwargs", *leave_out):
            continue
        if name in more:
            arguments[name] = more[name]
            continue
        key = (verb, name) if (verb, name) in VALUES else name
        if key not in VALUES:
            raise SystemExit(f"{verb}: no value for {name}")
        arguments[name] = VALUES[key]
    return method(**arguments)


def write(name, response):
    (OUT / f"{name}.xml").write_text(response.to_xml(xml_declaration=True) + "\n")


def alone(verb, **more):
    response = v.VoiceResponse()
    call(response, verb, **more)
    write(verb, response)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    for verb in ("say", "play", "pause", "record", "hangup", "leave", "redirect", "reject"):
        alone(verb)
    for verb in ("say", "play", "pause", "record", "dial", "gather", "hangup", "leave", "reject"):
        response = v.VoiceResponse()
        method = getattr(response, verb)
        first = next(iter(inspect.signature(method).parameters))
        method(**({first: VALUES[first]} if first in ("message", "number") else {}))
        write(f"{verb}-bare", response)

    response = v.VoiceResponse()
    say = response.say("Hello")
    say.break_(strength="x-weak", time="100ms")
    say.emphasis("words", level="moderate")
    say.lang("words", xml_lang="it-IT")
    say.p("words")
    say.phoneme("words", alphabet="x-sampa", ph='p"')
    say.prosody("words", volume="-6dB", rate="85%", pitch="-10%")
    say.s("words")
    say.say_as("words", interpret_as="spell-out", format="")
    say.sub("words", alias="alias")
    say.w("words", role="")
    write("say-ssml", response)

    response = v.VoiceResponse()
    gather = call(response, "gather")
    call(gather, "say")
    call(gather, "pause")
    call(gather, "play", leave_out=("digits",))
    write("gather", response)

    response = v.VoiceResponse()
    call(response, "dial")
    write("dial", response)
    nouns = ("client", "conference", "number", "queue", "sip")
    for noun in nouns:
        response = v.VoiceResponse()
        call(call(response, "dial", leave_out=("number",)), noun)
        write(f"dial-{noun}", response)
    response = v.VoiceResponse()
    dial = response.dial()
    for noun in ("client", "number", "sip"):
        call(dial, noun)
    write("dial-parallel", response)
    response = v.VoiceResponse()
    client = response.dial().client()
    client.identity("bob")
    client.parameter(name="a", value="b")
    write("dial-client-identity", response)

    response = v.VoiceResponse()
    call(response, "enqueue", leave_out=("workflow_sid",))
    write("enqueue", response)
    response = v.VoiceResponse()
    enqueue = call(response, "enqueue", leave_out=("name",))
    call(enqueue, "task")
    write("enqueue-task", response)

    response = v.VoiceResponse()
    call(call(response, "refer"), "sip")
    write("refer", response)

    response = v.VoiceResponse()
    response.say("Grüße, 世界 & <friends>", language="ja-JP")
    with response.gather(num_digits=1, action="/menu") as gather:
        gather.play("/menu.wav", loop=3)
    response.redirect("/start")
    write("menu", response)

    # What the library knows and we refuse by name.
    def refused(name, build):
        response = v.VoiceResponse()
        build(response)
        write(f"unsupported-{name}", response)

    refused("start", lambda r: r.start().stream(url="wss://a.example/"))
    refused("stop", lambda r: r.stop().stream(name="x"))
    refused("connect", lambda r: r.connect().stream(url="wss://a.example/"))
    refused("pay", lambda r: r.pay())
    refused("prompt", lambda r: r.prompt())
    refused("sms", lambda r: r.sms("hello"))
    refused("queue", lambda r: r.queue("q"))
    refused("echo", lambda r: r.echo())
    refused("dial-sim", lambda r: r.dial().sim("DE1"))
    refused("dial-whatsapp", lambda r: r.dial().whats_app("+1"))
    refused("dial-application", lambda r: r.dial().application("AP1"))

    known = {name for name, f in inspect.getmembers(v.VoiceResponse, inspect.isfunction)}
    known -= {name for name, f in inspect.getmembers(v.TwiML, inspect.isfunction)}
    written = {path.stem.split("-")[0] for path in OUT.iterdir()}
    written |= {path.stem.removeprefix("unsupported-") for path in OUT.iterdir()}
    if known - written - {"__init__"}:
        raise SystemExit(f"not written: {known - written}")


main()
