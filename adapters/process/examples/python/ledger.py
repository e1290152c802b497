#!/usr/bin/env python3
"""A Catenary adapter in Python: it reads a ledger that is a file, one block a line.

A line is a JSON object: `time_nanos`, `sent` (packets, each with its `tx_hash`) and `writes` (values by path, both in
hex). Line n is the block of height n. Whoever appends a line makes a block.

The modules adapter_pb2 and adapter_pb2_grpc are generated from proto/adapter.proto:

    python -m grpc_tools.protoc -I adapters/process/proto --python_out=DIR --grpc_python_out=DIR adapter.proto

The host starts this program with `--socket PATH`, an empty environment and a pipe as its standard input, and runs a
copy of it from another folder: modules beside it are not found, those of its interpreter are.
"""

import hashlib
import json
import sys
from concurrent import futures

import adapter_pb2 as pb
import adapter_pb2_grpc
import grpc

NAME, VERSION, PROTOCOL = "ledger", "1.0", 1
# As many calls as the host makes at a time.
CALLS_MAX = 8
# The host's bounds, of which the adapter keeps its side (catenary-api, limits).
HEIGHTS_MAX, PATHS_MAX = 100, 64
MESSAGE_BYTES_MAX = 16 * 1024 * 1024


class Refusal(Exception):
    """What goes into the field `error` of an answer."""

    def __init__(self, code, kind, message):
        super().__init__(message)
        self.error = pb.Error(code=code, message=message, **{"class": kind})


def missing(height, head):
    return Refusal("LEDG-001", pb.CLASS_TRANSIENT, f"height {height} is not there, the ledger is at {head}; ask later")


def answering(answer):
    """Turns a refusal into the answer that holds it."""

    def decorate(method):
        def call(self, request, _context):
            try:
                return method(self, request)
            except Refusal as refusal:
                return answer(error=refusal.error)

        return call

    return decorate


class Ledger(adapter_pb2_grpc.AdapterServicer):
    def __init__(self):
        self.path = None

    def whole(self):
        """All whole lines. A line that is still being written has no end yet."""
        try:
            with open(self.path, "rb") as file:
                return [line[:-1] for line in file if line.endswith(b"\n")]
        except OSError as error:
            raise Refusal("LEDG-002", pb.CLASS_TRANSIENT, f"the ledger cannot be read: {error.strerror}") from error

    def up_to(self, height):
        lines = self.whole()
        if not 1 <= height <= len(lines):
            raise missing(height, len(lines))
        return [json.loads(line) for line in lines[:height]]

    def range(self, request):
        # A word of the language cannot be written as an attribute.
        first = getattr(request, "from")
        count = request.to - first + 1
        if not 1 <= count <= HEIGHTS_MAX:
            raise Refusal("LEDG-003", pb.CLASS_PERMANENT, f"{count} heights asked for, 1 to {HEIGHTS_MAX} allowed")
        return range(first, request.to + 1)

    @answering(pb.OpenResponse)
    def Open(self, request):
        settings = {setting.key: setting.value for setting in request.settings}
        if request.protocol != PROTOCOL or "file" not in settings:
            raise Refusal("LEDG-004", pb.CLASS_CONFIG, f"protocol {PROTOCOL} and the setting file are needed")
        self.path = settings["file"]
        return pb.OpenResponse(name=NAME, version=VERSION, protocol=PROTOCOL)

    @answering(pb.IdentityResponse)
    def Identity(self, _request):
        lines = self.whole()
        first = hashlib.sha256(lines[0]).digest() if lines else b""
        return pb.IdentityResponse(chain_id="ledger-1", genesis_hash=first)

    @answering(pb.HeadResponse)
    def Head(self, _request):
        lines = self.whole()
        if not lines:
            raise missing(1, 0)
        return pb.HeadResponse(height=len(lines), timestamp_nanos=json.loads(lines[-1])["time_nanos"])

    @answering(pb.UpdatesResponse)
    def Updates(self, request):
        heights = self.range(request)
        lines = self.whole()
        if not 1 <= heights[0] <= heights[-1] <= len(lines):
            raise missing(heights[-1], len(lines))
        return pb.UpdatesResponse(updates=[hashlib.sha256(lines[height - 1]).digest() for height in heights])

    @answering(pb.EventsResponse)
    def Events(self, request):
        heights = self.range(request)
        blocks = self.up_to(heights[-1])
        if heights[0] < 1:
            raise missing(heights[0], len(blocks))
        return pb.EventsResponse(
            events=[
                pb.Event(
                    height=height,
                    tx_hash=bytes.fromhex(sent["tx_hash"]),
                    kind=pb.EVENT_KIND_SENT,
                    packet=packet_of(sent),
                )
                for height in heights
                for sent in blocks[height - 1]["sent"]
            ]
        )

    @answering(pb.ProofsResponse)
    def Proofs(self, request):
        values = self.values(request.height, request.paths)
        return pb.ProofsResponse(
            proofs=[pb.Proof(exists=value is not None, value=value or b"", proof=b"as the file says") for value in values]
        )

    @answering(pb.PresentResponse)
    def Present(self, request):
        values = self.values(len(self.whole()), request.paths)
        return pb.PresentResponse(present=[value is not None for value in values])

    @answering(pb.ClientResponse)
    def Client(self, _request):
        return pb.ClientResponse()

    def values(self, height, paths):
        if len(paths) > PATHS_MAX:
            raise Refusal("LEDG-003", pb.CLASS_PERMANENT, f"{len(paths)} paths asked for, {PATHS_MAX} allowed")
        state = {}
        for block in self.up_to(height):
            state.update(block["writes"])
        found = (state.get(path.hex()) for path in paths)
        return [None if value is None else bytes.fromhex(value) for value in found]


def packet_of(sent):
    payloads = [
        pb.Payload(**{key: payload[key] for key in ("source_port", "destination_port", "version", "encoding")},
                   value=bytes.fromhex(payload["value"]))
        for payload in sent["payloads"]
    ]
    keys = ("sequence", "source_client", "destination_client", "timeout_timestamp_seconds")
    return pb.Packet(**{key: sent[key] for key in keys}, payloads=payloads)


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "--socket":
        sys.exit("usage: --socket PATH; this program is started by catenary")
    bounds = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.max_send_message_length", MESSAGE_BYTES_MAX)]
    server = grpc.server(futures.ThreadPoolExecutor(CALLS_MAX), options=bounds)
    adapter_pb2_grpc.add_AdapterServicer_to_server(Ledger(), server)
    server.add_insecure_port(f"unix:{sys.argv[2]}")
    server.start()
    # The host is gone when standard input ends.
    sys.stdin.buffer.read()
    server.stop(None)


if __name__ == "__main__":
    main()
