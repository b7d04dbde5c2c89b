"""Writes signatures.json: what others sign, for the unit tests of src/webhook/signature.rs.

    python3 -m venv v && v/bin/pip install twilio==9.13.0
    v/bin/python make_signatures.py > signatures.json
"""

import hashlib
import hmac
import json
from urllib.parse import parse_qs, urlparse

from twilio.request_validator import RequestValidator

TOKEN = "12345abcde"


class Fields(dict):
    """What Flask and Django hand to the validator: several values of a name."""

    def getlist(self, name):
        return self[name]


def twilio(url, form, token=TOKEN):
    fields = Fields()
    for name, value in form:
        fields.setdefault(name, []).append(value)
    validator = RequestValidator(token)
    signature = validator.compute_signature(url, fields)
    assert validator.validate(url, fields, signature)
    return {"token": token, "url": url, "form": form, "signature": signature}


def with_body(url, body, token=TOKEN):
    digest = hashlib.sha256(body.encode()).hexdigest()
    signed = url + ("&" if urlparse(url).query else "?") + "bodySHA256=" + digest
    validator = RequestValidator(token)
    signature = validator.compute_signature(signed, {})
    assert "bodySHA256" in parse_qs(urlparse(signed).query)
    assert validator.validate(signed, body, signature)
    return {"token": token, "url": url, "body": body, "signed_url": signed, "signature": signature}


def ours(secret, timestamp, content):
    message = f"{timestamp}.".encode() + content.encode()
    digest = hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()
    return {"secret": secret, "timestamp": timestamp, "content": content, "signature": "v1=" + digest}


CALL = [
    ["CallSid", "CA1234567890ABCDE"],
    ["Caller", "+12349013030"],
    ["Digits", "1234"],
    ["From", "+12349013030"],
    ["To", "+18005551212"],
]

print(json.dumps({
    "made_with": "twilio 9.13.0",
    "twilio": [
        twilio("https://mycompany.com/myapp.php?foo=1&bar=2", CALL),
        twilio("https://mycompany.com/myapp.php?foo=1&bar=2", []),
        twilio("https://mycompany.com:1234/myapp", CALL),
        twilio("http://mycompany.com:8080/", CALL),
        twilio("http://127.0.0.1:5000/voice", [["Body", ""], ["Empty", ""], ["A", "b"]]),
        twilio("https://x.test/v", [["Name", "山田 花子"], ["SpeechResult", "はい、そうです。"]]),
        twilio("https://x.test/v", [["a", "1"], ["B", "2"], ["aa", "3"], ["A", "4"]]),
        twilio("https://x.test/v", [["x", "2"], ["x", "1"], ["x", "2"], ["y", "0"]]),
        twilio("https://x.test/v?q=%E8%8A%B1&r=a+b", [["x", "&=+%\n"]], "another token"),
    ],
    "json": [
        with_body("https://x.test/hook", "{}"),
        with_body("https://x.test/hook?a=1", json.dumps({"call": "花", "n": 1})),
        with_body("http://127.0.0.1:5000/hook?a=1&b=2", "[1,2]", "another token"),
    ],
    "ours": [
        ours("s3cret", 1795136523, "{\"a\":1}"),
        ours("s3cret", 1795136523, ""),
        ours("鍵", 0, "名前=花子"),
    ],
}, ensure_ascii=False, indent=1))
