"""A name server for one test: what it says may change while it runs."""

import collections
import ipaddress
import socket
import struct
import threading

A, AAAA = 1, 28


class NameServer:
    """names: what each name has now: a list of addresses (empty: none of that
    family), "nxdomain", "servfail", or "silent". asked counts the questions."""

    def __init__(self, ttl=1, **names):
        self.names = {name.replace("_", "."): value for name, value in names.items()}
        self.ttl = ttl
        self.asked = collections.Counter()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # A datagram wakes the thread; it sees that it is to end.
        self.names = None
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(10)
        self.socket.close()

    def resolv_conf(self, path, options="timeout:1 attempts:1"):
        path.write_text(f"nameserver [127.0.0.1]:{self.socket.getsockname()[1]}\noptions {options}\n")
        path.chmod(0o644)
        return path

    def _serve(self):
        while True:
            query, client = self.socket.recvfrom(4096)
            if self.names is None:
                return
            reply = self._reply(query)
            if reply:
                self.socket.sendto(reply, client)

    @staticmethod
    def _question(query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += 1 + query[at]
        kind, _ = struct.unpack_from(">HH", query, at + 1)
        return ".".join(labels).lower(), kind, query[12:at + 5]

    def _reply(self, query):
        name, kind, question = self._question(query)
        self.asked[name] += 1
        known = self.names.get(name, "nxdomain")
        if known == "silent":
            return None
        code = 3 if known == "nxdomain" else 2 if known == "servfail" else 0
        found = [] if code else [ipaddress.ip_address(text) for text in known]
        wanted = [address.packed for address in found if address.version == {A: 4, AAAA: 6}.get(kind)]
        answers = b"".join(struct.pack(">HHHIH", 0xc00c, kind, 1, self.ttl, len(data)) + data for data in wanted)
        # A denial says for how long it holds (RFC 2308).
        soa = b"\0\0" + struct.pack(">IIIII", 1, 2, 3, 4, self.ttl)
        denial = b"" if wanted or code == 2 else b"\0" + struct.pack(">HHIH", 6, 1, self.ttl, len(soa)) + soa
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(wanted), bool(denial), 0)
        return head + question + answers + denial
