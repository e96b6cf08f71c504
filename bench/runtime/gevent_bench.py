"""What gevent's greenlets cost, and an echo server on them:

    gevent_bench.py OPERATION COUNT
    gevent_bench.py echo
"""
import socket, sys, time

import gevent
from gevent import queue, server

ECHO_BYTES = 4096


def report(start, count):
    print(f"{(time.process_time_ns() - start) / count:.3f}")


def spin(turns):
    for _ in range(turns):
        gevent.sleep(0)


def do_yield(tasks, count):
    start = time.process_time_ns()
    gevent.joinall([gevent.spawn(spin, count // tasks) for _ in range(tasks)])
    report(start, count // tasks * tasks)


def spawn(count):
    start = time.process_time_ns()
    for _ in range(count):
        gevent.spawn(lambda: None).join()
    report(start, count)


def channel(capacity, count):
    channel = queue.Queue(capacity) if capacity else queue.Channel()

    def send():
        for i in range(count):
            channel.put(i)

    start = time.process_time_ns()
    sender = gevent.spawn(send)
    for _ in range(count):
        channel.get()
    sender.join()
    report(start, count)


def generator(count):
    """Python's own."""
    start = time.process_time_ns()
    for _ in (i for i in range(count)):
        pass
    report(start, count)


def status_kb(field):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(field + ":"))


def parked(count):
    rss, tables = status_kb("VmRSS"), status_kb("VmPTE")
    never = gevent.event.Event()
    waiting = [gevent.spawn(never.wait) for _ in range(count)]
    gevent.sleep(0)
    with open("/proc/self/maps") as maps:
        mappings = sum(1 for _ in maps)
    print(len(waiting), (status_kb("VmRSS") - rss) * 1024 / count, (status_kb("VmPTE") - tables) * 1024 / count,
          mappings, status_kb("VmRSS"))


def serve(conn, address):
    conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while True:
            data = conn.recv(ECHO_BYTES)
            if not data:
                break
            conn.sendall(data)
    except OSError:
        pass
    conn.close()


def echo():
    listener = server.StreamServer(("127.0.0.1", 0), serve, backlog=1024)
    listener.start()
    print(listener.server_port, flush=True)
    listener.serve_forever()


OPERATIONS = {"yield": lambda n: do_yield(2, n), "yield-1000": lambda n: do_yield(1000, n), "spawn": spawn,
              "channel": lambda n: channel(0, n), "channel-1024": lambda n: channel(1024, n),
              "generator": generator, "parked": parked}

if sys.argv[1:] == ["echo"]:
    echo()
elif len(sys.argv) == 3 and sys.argv[1] in OPERATIONS:
    OPERATIONS[sys.argv[1]](int(sys.argv[2]))
else:
    sys.exit(2)
