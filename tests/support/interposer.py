"""Stands before a database and answers what only a sharded cluster with secondaries can.

A program of its own (``python interposer.py PORT UPSTREAM_PORT``), on loopback, run by the Python
of build/lnm-servers, which has ``bson``.  All that it does not know goes to the database and back,
byte for byte.  It answers by itself:

* ``enableSharding`` and ``shardCollection`` (the same key again is no error, another is code 20),
  ``find`` on ``config.collections``, ``listShards``; a key is forgotten with its collection;
* ``$shardedDataDistribution``: the documents that the database counts, shared out as it is told;
* ``replSetGetStatus`` of a primary and a secondary that lags as many seconds as it is told;
* ``lnmInterposer``, which is its own: ``{lnmInterposer: 1, set: {lagSeconds: 75.0}}`` changes one
  of ``lagSeconds``, ``shares`` (a part for each shard), ``sharding`` (false: not a cluster),
  ``shardKeys``, ``requests`` (what was asked, by name) and returns them all.

This proves a client, its alerts and how it resumes.  It says nothing of how a real cluster
balances.
"""

from __future__ import annotations

import datetime
import importlib
import select
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any

bson: Any = importlib.import_module("bson")

OP_MSG = 2013
MORE_TO_COME = 1 << 1  # the sender expects no reply
EXHAUST_ALLOWED = 1 << 16  # a reply may be followed by others; cleared: one question, one answer
SHARDS = ("shard-a", "shard-b")
Document = dict[str, Any]


class Cluster:
    """What the cluster would know, and the answers made of it; one for all connections."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.state: Document = {
            "lagSeconds": 0.0,
            "shares": [0.5, 0.5],
            "sharding": True,
            "shardKeys": {},
            "requests": {},
        }

    def answer(self, command: Document, ask: Callable[[Document], Document]) -> Document | None:
        """Return the answer to a command, or None if the database is to give it."""
        name = next(iter(command))
        with self.lock:
            seen = self.state["requests"]
            seen[name] = seen.get(name, 0) + 1
            if name == "lnmInterposer":
                self.state.update(command.get("set", {}))
                return {"state": self.state, "ok": 1.0}
            if name == "replSetGetStatus":
                return self._status()
            if not self.state["sharding"]:
                return None
            return self._sharding(name, command, ask)

    def forget(self, command: Document) -> None:
        """Forget the shard key of what the database has just dropped."""
        name, database = next(iter(command)), command.get("$db")
        keys = self.state["shardKeys"]
        with self.lock:
            if name == "drop":
                keys.pop(f"{database}.{command[name]}", None)
            elif name == "dropDatabase":
                for namespace in [n for n in keys if n.startswith(f"{database}.")]:
                    del keys[namespace]

    def _status(self) -> Document:
        now = datetime.datetime.now(datetime.timezone.utc)
        behind = now - datetime.timedelta(seconds=self.state["lagSeconds"])
        members = [
            {"_id": 0, "name": "a:27017", "stateStr": "PRIMARY", "health": 1.0, "optimeDate": now},
            {"_id": 1, "name": "b:27017", "stateStr": "SECONDARY", "health": 1.0}
            | {"optimeDate": behind},
        ]
        return {"set": "secantus", "date": now, "myState": 1, "members": members, "ok": 1.0}

    def _sharding(
        self, name: str, command: Document, ask: Callable[[Document], Document]
    ) -> Document | None:
        keys: Document = self.state["shardKeys"]
        if name == "enableSharding":
            return {"ok": 1.0}
        if name == "shardCollection":
            namespace, key = command[name], dict(command["key"])
            if list(keys.setdefault(namespace, key).items()) != list(key.items()):
                text = f"sharding already enabled for collection {namespace}"
                return {"ok": 0.0, "code": 20, "codeName": "IllegalOperation", "errmsg": text}
            return {"collectionsharded": namespace, "ok": 1.0}
        if name == "listShards":
            shards = [{"_id": shard, "host": f"{shard}/{shard}:27018"} for shard in SHARDS]
            return {"shards": shards, "ok": 1.0}
        if name == "find" and command["$db"] == "config" and command[name] == "collections":
            wanted = command.get("filter", {}).get("_id")
            found = [{"_id": n, "key": key} for n, key in keys.items() if wanted in (None, n)]
            return _cursor("config.collections", found)
        pipeline = command.get("pipeline") or [{}]
        if name == "aggregate" and "$shardedDataDistribution" in pipeline[0]:
            return _cursor("admin.$cmd.aggregate", [self._owned(n, ask) for n in keys])
        return None

    def _owned(self, namespace: str, ask: Callable[[Document], Document]) -> Document:
        database, _, collection = namespace.partition(".")
        total = int(ask({"count": collection, "$db": database}).get("n", 0))
        owned = [int(total * share) for share in self.state["shares"]]
        owned[0] += total - sum(owned)
        shards = [
            {"shardName": shard, "numOwnedDocuments": number, "numOrphanedDocs": 0}
            for shard, number in zip(SHARDS, owned, strict=True)
        ]
        return {"ns": namespace, "shards": shards}


def _cursor(namespace: str, batch: list[Document]) -> Document:
    return {"cursor": {"id": bson.Int64(0), "ns": namespace, "firstBatch": batch}, "ok": 1.0}


def read_message(stream: socket.socket) -> bytes | None:
    """Return a whole message, or None at its orderly end."""
    head = _exactly(stream, 4)
    if not head:
        return None
    rest = _exactly(stream, int.from_bytes(head, "little") - 4)
    message = head + rest
    return message if rest else None


def _exactly(stream: socket.socket, size: int) -> bytes:
    data = b""  # and so at the end of the stream
    while len(data) < size:
        part = stream.recv(min(size - len(data), 1 << 20))
        if not part:
            return b""
        data += part
    return data


def command_of(message: bytes) -> Document | None:
    """Return the command in an OP_MSG (kind 0, which drivers send first), None in others."""
    if struct.unpack_from("<i", message, 12)[0] != OP_MSG or message[20] != 0:
        return None
    size = struct.unpack_from("<i", message, 21)[0]
    decoded: Document = bson.decode(message[21 : 21 + size])
    return decoded


def message_of(document: Document, request: int, response_to: int = 0) -> bytes:
    """Return an OP_MSG that holds a document."""
    body: bytes = struct.pack("<iB", 0, 0) + bson.encode(document)
    return struct.pack("<iiii", 16 + len(body), request, response_to, OP_MSG) + body


def _next(client: socket.socket, database: socket.socket) -> bytes | None:
    """Return what the client says next; None as well when the database hung up meanwhile."""
    ready = select.select([client, database], [], [])[0]
    return read_message(client) if database not in ready else None


def serve(client: socket.socket, upstream_port: int, cluster: Cluster) -> None:
    """Speak with one client until one of both sides goes away."""
    with client, socket.create_connection(("127.0.0.1", upstream_port)) as database:
        for side in (client, database):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask(command: Document) -> Document:
            database.sendall(message_of(command, 1))
            return command_of(read_message(database) or b"\0" * 21) or {}

        while message := _next(client, database):
            _, request, _, opcode = struct.unpack_from("<iiii", message)
            command = command_of(message)
            flags = struct.unpack_from("<I", message, 16)[0] if opcode == OP_MSG else 0
            if flags & EXHAUST_ALLOWED:
                flags &= ~EXHAUST_ALLOWED
                message = message[:16] + struct.pack("<I", flags) + message[20:]
            answer = cluster.answer(command, ask) if command else None
            if answer is not None:
                client.sendall(message_of(answer, request, request))
                continue
            database.sendall(message)
            if flags & MORE_TO_COME:
                continue
            reply = read_message(database)
            if not reply:
                return
            if command and next(iter(command)) in ("drop", "dropDatabase"):
                cluster.forget(command)
            client.sendall(reply)


def _quietly(client: socket.socket, upstream_port: int, cluster: Cluster) -> None:
    try:
        serve(client, upstream_port, cluster)
    except OSError:  # one side is gone: the driver sees a lost connection, as it should
        client.close()


def main() -> None:
    """Listen, and give each connection a thread."""
    port, upstream_port = map(int, sys.argv[1:3])
    cluster = Cluster()
    with socket.create_server(("127.0.0.1", port), backlog=128) as server:
        while True:
            client, _ = server.accept()
            arguments = (client, upstream_port, cluster)
            threading.Thread(target=_quietly, args=arguments, daemon=True).start()


if __name__ == "__main__":
    main()
