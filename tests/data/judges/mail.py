"""A mail server that keeps what it takes: mail.py HOST PORT CERTIFICATE KEY FOLDER

STARTTLS and a log-in ("pbx", "tell nobody") are demanded. A letter is a file of the folder, on the disk
before the server says that it has it.
"""

import os
import ssl
import sys
import threading
import time

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class Box:
    def __init__(self, folder):
        self.folder = folder

    async def handle_DATA(self, server, session, envelope):
        path = os.path.join(self.folder, f"{time.time_ns()}.eml")
        with open(path + ".part", "wb") as file:
            recipients = " ".join(envelope.rcpt_tos)
            file.write(f"X-Taken-For: {recipients}\r\n".encode())
            file.write(envelope.content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + ".part", path)
        return "250 2.0.0 taken"


def log_in(server, session, envelope, mechanism, data):
    good = LoginPassword(b"pbx", b"tell nobody")
    return AuthResult(success=data == good, handled=True)


def main():
    host, port, certificate, key, folder = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    controller = Controller(
        Box(folder),
        hostname=host,
        port=int(port),
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=log_in,
    )
    controller.start()
    threading.Event().wait()


main()
