"""Requests made by hand, for stories that need thousands of them."""

ROOT = b"pieces root32:"


def small_torrent(name, value):
    """The shortest torrent (BEP 52) of that name; the number `value`, below 10^32, is its content."""
    root = b"%032d" % value
    key = b"%d:%s" % (len(name), name)
    info = b"d9:file treed" + key + b"d0:d6:lengthi16384e11:" + ROOT + root + b"eee12:meta versioni2e4:name" + key + b"12:piece lengthi16384ee"
    return b"d4:info" + info + b"12:piece layersdee"
