"""HTTP by hand: a client that sends the bytes it is told, an origin that
answers the bytes it is told. What a library would tidy up reaches weir."""

import socket
import threading
import time


def exactly(end, count):
    """So many bytes of one end of a connection; no copy of all that has come
    for each piece that comes."""
    pieces, length = [end.buffer], len(end.buffer)
    try:
        while length < count:
            end.buffer = b""
            end._more()
            pieces.append(end.buffer)
            length += len(end.buffer)
    finally:
        end.buffer = b"".join(pieces)
    data, end.buffer = end.buffer[:count], end.buffer[count:]
    return data


class Answer:
    def __init__(self, status, reason, fields, body, trailers=None):
        self.status, self.reason, self.fields, self.body = status, reason, fields, body
        self.trailers = trailers or []

    def get(self, name, default=None):
        for key, value in self.fields:
            if key.lower() == name.lower():
                return value
        return default

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]


class Closed(Exception):
    """The connection ended before a whole message."""


class Client:
    """One connection; send() raw bytes, read() one answer at a time."""

    def __init__(self, port, host="127.0.0.1", timeout=10, rcvbuf=None):
        self.socket = socket.socket()
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.socket.settimeout(timeout)
        self.socket.connect((host, port))
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
        return self

    def end(self):
        self.socket.shutdown(socket.SHUT_WR)
        return self

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed(self.buffer)
        self.buffer += data

    def _until(self, mark):
        while mark not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(mark, 1)
        return head

    def _exactly(self, count):
        return exactly(self, count)

    def read(self, method="GET"):
        lines = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, reason = (lines[0].split(" ", 2) + [""])[:3]
        assert version in ("HTTP/1.1", "HTTP/1.0"), lines[0]
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        answer = Answer(int(status), reason, fields, b"")
        if method == "HEAD" or answer.status < 200 or answer.status in (204, 304):
            return answer
        if (answer.get("Transfer-Encoding") or "").lower() == "chunked":
            while True:
                size = int(self._until(b"\r\n").split(b";")[0], 16)
                if size == 0:
                    break
                answer.body += self._exactly(size)
                assert self._exactly(2) == b"\r\n"
            while True:
                line = self._until(b"\r\n")
                if not line:
                    break
                answer.trailers.append(tuple(p.strip() for p in line.decode("latin-1").split(":", 1)))
        elif answer.get("Content-Length") is not None:
            answer.body = self._exactly(int(answer.get("Content-Length")))
        else:
            answer.body = self.rest()
        return answer

    def rest(self):
        """Everything until the other side closes."""
        try:
            while True:
                self._more()
        except (Closed, ConnectionResetError):
            data, self.buffer = self.buffer, b""
            return data

    def closed(self):
        """Whether the other side closes without another byte."""
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def ask(self, data, method="GET"):
        return self.send(data).read(method)


def get(port, path="/", fields="", host="127.0.0.1"):
    with Client(port) as c:
        return c.ask(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{fields}\r\n")


class Request:
    def __init__(self, line, fields, body):
        self.line, self.fields, self.body = line, fields, body
        self.method, self.target, self.version = line.split(" ")

    def get(self, name):
        for key, value in self.fields:
            if key.lower() == name.lower():
                return value
        return None

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]


class Conversation:
    """One connection to the origin."""

    def __init__(self, connection):
        self.socket = connection
        self.buffer = b""

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise Closed()
        self.buffer += data

    def head(self):
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        return Request(lines[0], [tuple(p.strip() for p in l.split(":", 1)) for l in lines[1:]], b"")

    def exactly(self, count):
        return exactly(self, count)

    def line(self):
        while b"\r\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def request(self):
        request = self.head()
        if request.get("Content-Length"):
            request.body = self.exactly(int(request.get("Content-Length")))
        elif (request.get("Transfer-Encoding") or "").lower() == "chunked":
            while size := int(self.line(), 16):
                request.body += self.exactly(size)
                self.exactly(2)
            while self.line():
                pass
        return request

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))


def answer(body=b"ok", status="200 OK", fields=""):
    body = body if isinstance(body, bytes) else body.encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n".encode("latin-1") + body


class Origin:
    """serve(conversation) runs in a thread for each connection. The default
    answers every request with 200 and what `reply(request)` says."""

    def __init__(self, serve=None, reply=None, port=0, path=None):
        self.requests, self.connections = [], 0
        self.reply = reply or (lambda request: answer(b"ok"))
        self.open = set()
        self.serving = serve or self._serve
        self.path = path
        self.port = port
        self.listener = None
        self.start()

    @property
    def serve(self):
        return self.serving

    @serve.setter
    def serve(self, serve):
        """Another behaviour: for new connections, so the old ones end."""
        self.serving = serve
        self.drop()

    def drop(self):
        """Close every connection, and give the other side time to see it."""
        for connection in list(self.open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        time.sleep(0.05)

    def start(self):
        if self.path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(self.path)
        else:
            self.listener = socket.socket()
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", self.port))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(1024)
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    @property
    def address(self):
        return f"unix:{self.path}" if self.path else f"127.0.0.1:{self.port}"

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.add(connection)
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection):
        try:
            self.serving(Conversation(connection))
        except (Closed, OSError, ValueError):
            pass
        finally:
            self.open.discard(connection)
            connection.close()

    def _serve(self, conversation):
        while True:
            request = conversation.request()
            self.requests.append(request)
            conversation.send(self.reply(request))

    def stop(self):
        """As a killed process: the listener and every connection at once."""
        # shutdown wakes the thread in accept(); close alone would not.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.drop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

