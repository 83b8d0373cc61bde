"""As much of PostgreSQL's protocol as the functions need: TLS, SCRAM-SHA-256, and one statement at a time.

Lambda's runtime has no PostgreSQL client, and one that is built elsewhere would be a package to keep; this has no dependency.
"""
import base64
import hashlib
import hmac
import os
import re
import socket
import struct

ITERATIONS = 4096
TLS_REQUEST = 80877103
PROTOCOL_3 = 196608


class DatabaseError(Exception):
    """What the server refused, with its SQLSTATE; never the statement, which may hold a verifier."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code


class Connection:
    """`tls` is an ssl.SSLContext that checks the server's certificate; None is for a server of one's own machine."""

    def __init__(self, host, port, database, user, password, tls, timeout=10):
        self.socket = socket.create_connection((host, port), timeout=timeout)
        self.buffer = b""
        try:
            if tls is not None:
                self.socket.sendall(struct.pack("!II", 8, TLS_REQUEST))
                if self.socket.recv(1) != b"S":
                    raise DatabaseError("08001", "the server speaks no TLS")
                self.socket = tls.wrap_socket(self.socket, server_hostname=host)
            self._start(database, user, password)
        except BaseException:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self._send(b"X", b"")
        except OSError:
            pass
        self.socket.close()

    def query(self, statement):
        """Rows, as lists of text or None."""
        self._send(b"Q", statement.encode() + b"\0")
        rows, problem = [], None
        while True:
            kind, body = self._receive()
            if kind == b"D":
                rows.append(_row(body))
            elif kind == b"E":
                problem = _error(body)
            elif kind == b"Z":
                if problem:
                    raise problem
                return rows

    def _start(self, database, user, password):
        parameters = {"user": user, "database": database, "application_name": "payops-functions", "client_encoding": "UTF8"}
        body = struct.pack("!I", PROTOCOL_3) + b"".join(f"{k}\0{v}\0".encode() for k, v in parameters.items()) + b"\0"
        self.socket.sendall(struct.pack("!I", len(body) + 4) + body)
        scram = None
        while True:
            kind, body = self._receive()
            if kind == b"E":
                raise _error(body)
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            method = struct.unpack("!I", body[:4])[0]
            if method == 10:
                if b"SCRAM-SHA-256" not in body[4:].split(b"\0"):
                    raise DatabaseError("08001", "the server offers no SCRAM-SHA-256")
                scram = Scram(password)
                first = scram.first()
                self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
            elif method == 11:
                self._send(b"p", scram.final(body[4:]))
            elif method == 12:
                scram.check(body[4:])
            elif method != 0:
                raise DatabaseError("08001", f"the server asks for authentication of kind {method}")
            elif scram is None or not scram.checked:
                # A server that lets anybody in, or has not shown that it knows the password, is not ours.
                raise DatabaseError("08001", "the server did not authenticate itself")

    def _send(self, kind, body):
        self.socket.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def _receive(self):
        head = self._exactly(5)
        return head[:1], self._exactly(struct.unpack("!I", head[1:])[0] - 4)

    def _exactly(self, count):
        while len(self.buffer) < count:
            more = self.socket.recv(65536)
            if not more:
                raise DatabaseError("08006", "the server closed the connection")
            self.buffer += more
        part, self.buffer = self.buffer[:count], self.buffer[count:]
        return part


class Scram:
    """The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding: TLS has checked the certificate."""

    def __init__(self, password):
        self.password = password.encode()
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = f"n=,r={self.nonce}"
        self.server_signature = None
        self.checked = False

    def first(self):
        return ("n,," + self.bare).encode()

    def final(self, challenge):
        fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
        if not fields["r"].startswith(self.nonce) or int(fields["i"]) < ITERATIONS:
            raise DatabaseError("08001", "the server's challenge is none")
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(fields["s"]), int(fields["i"]))
        client, stored, server = keys(salted)
        without_proof = f"c=biws,r={fields['r']}"
        message = f"{self.bare},{challenge.decode()},{without_proof}".encode()
        proof = bytes(a ^ b for a, b in zip(client, hmac.digest(stored, message, "sha256")))
        self.server_signature = hmac.digest(server, message, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def check(self, answer):
        signature = base64.b64decode(answer.decode().removeprefix("v="))
        if not hmac.compare_digest(signature, self.server_signature):
            raise DatabaseError("08001", "the server does not know the password")
        self.checked = True


def keys(salted):
    client = hmac.digest(salted, b"Client Key", "sha256")
    return client, hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256")


def verifier(password, salt=None):
    """What the server keeps of a password: a statement that sets it may be logged, and tells nobody the password."""
    salt = os.urandom(16) if salt is None else salt
    _, stored, server = keys(hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS))
    text = (base64.b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(ITERATIONS, *text)


def identifier(name):
    """A role's name for a statement; names of ours need no quoting, and anything else is none of ours."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise ValueError(f"{name!r} is no name of a role")
    return f'"{name}"'


def _row(body):
    count, values, at = struct.unpack("!H", body[:2])[0], [], 2
    for _ in range(count):
        size = struct.unpack("!i", body[at:at + 4])[0]
        at += 4
        values.append(None if size < 0 else body[at:at + size].decode())
        at += max(size, 0)
    return values


def _error(body):
    fields = {part[:1]: part[1:].decode() for part in body.split(b"\0") if part}
    return DatabaseError(fields.get(b"C", "?????"), fields.get(b"M", "no message"))
