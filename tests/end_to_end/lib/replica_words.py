"""What replicas say to each other before any message, for tests that play a stranger (net/frame_reader.h, net/replica_handshake.h)."""

import ctypes
import socket
import struct

_MAGIC = 0x46725442
_HEADER = struct.Struct("<IIQ")


def _xxh3(data):
    function = ctypes.CDLL("libxxhash.so.0").XXH3_64bits
    function.restype = ctypes.c_uint64
    function.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return function(data, len(data))


def frame(body):
    return _HEADER.pack(_MAGIC, len(body), _xxh3(body)) + body


def number(value):
    """As core/base/fields.h writes an integer."""
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _numbers(data, count):
    values, at = [], 0
    for _ in range(count):
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        values.append(value)
    return values


def hello(version, cluster, sender, receiver, incarnation, first_members=0):
    """Of one that has joined later, unless its first members are given, and that reads every format level."""
    words = (version, cluster, first_members, sender, receiver, incarnation)
    program = b"1.0.0"
    levels = number(1) + number(1000)
    return frame(b"".join(number(word) for word in words) + bytes(32) + levels + number(len(program)) + program)


def wrong_proof():
    return frame(b"\x5a" * 32)


def receive_frame(connection):
    """The body of the next frame, or None when the connection ends before."""
    data = b""
    while len(data) < _HEADER.size or len(data) < _HEADER.size + _HEADER.unpack_from(data)[1]:
        part = connection.recv(4096)
        if not part:
            return None
        data += part
    return data[_HEADER.size : _HEADER.size + _HEADER.unpack_from(data)[1]]


def overhear(port, peers, seconds):
    """Listens where a replica should be; version, cluster and {id: incarnation} of its peers, from the Hellos they say."""
    with socket.create_server(("127.0.0.1", port)) as server:
        server.settimeout(seconds)
        incarnations = {}
        while len(incarnations) < peers:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(seconds)
                version, cluster, _, sender, _, incarnation = _numbers(receive_frame(connection), 6)
                incarnations[sender] = incarnation
        return version, cluster, incarnations
