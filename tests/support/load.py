"""Load that misses nothing: every answer is checked, every connection that
the other side closes is counted."""

import threading

from support.raw import Client, Closed


class Load:
    """`connections` threads, each a kept connection asking one thing after
    the other, until stop()."""

    def __init__(self, port, connections=8, request=None, check=None, reconnect=False):
        self.port = port
        self.request = request or (lambda i: (f"GET /{i} HTTP/1.1\r\nHost: a\r\n\r\n", "GET"))
        self.check = check or (lambda i, answer: answer.status == 200)
        self.reconnect = reconnect
        self.answered = 0
        self.failures = []
        self.closed = 0
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(connections)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive(), "a client waits for an answer that does not come"

    def _fail(self, what):
        with self._lock:
            self.failures.append(what)

    def _run(self, number):
        client = None
        i = number
        while not self._stop.is_set():
            i += len(self._threads)
            try:
                if client is None:
                    client = Client(self.port, timeout=25)
                data, method = self.request(i)
                answer = client.ask(data, method)
                if not self.check(i, answer):
                    self._fail((i, answer.status, answer.body[:200]))
                with self._lock:
                    self.answered += 1
                if (answer.get("Connection") or "").lower() == "close":
                    client.close()
                    client = None
                    with self._lock:
                        self.closed += 1
            except (OSError, Closed) as e:
                with self._lock:
                    self.closed += 1
                if not self.reconnect:
                    self._fail((i, repr(e)))
                if client is not None:
                    client.close()
                client = None
        if client is not None:
            client.close()
