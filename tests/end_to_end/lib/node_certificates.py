"""Certificates of nodes for tests that play one, or nearly one: the cluster's authority, made of its secret (net/replica_certificate.h)."""

import base64
import hashlib
import hmac
import ssl

from authority import Authority

# RFC 8410: what stands before the 32 bytes of an Ed25519 key in PKCS #8.
_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")


def name_of(cluster, node):
    return f"node-{node}.{cluster:016x}.bytetorrent.internal"


class ClusterAuthority:
    """Vouches as every node can that holds the secret."""

    def __init__(self, world, secret_file, cluster):
        self.world = world
        self.cluster = cluster
        self.path, self.key = world.path("replica-authority.pem"), world.path("replica-authority.key")
        with open(secret_file, encoding="ascii") as file:
            secret = bytes.fromhex(file.read().split()[2])
        seed = hmac.new(secret, b"bytetorrent replica authority 1\n", hashlib.sha256).digest()
        with open(self.key, "w", encoding="ascii") as file:
            file.write(f"-----BEGIN PRIVATE KEY-----\n{base64.b64encode(_PKCS8 + seed).decode()}\n-----END PRIVATE KEY-----\n")
        subject = f"/CN=bytetorrent cluster {cluster:016x}"
        Authority.openssl("req", "-x509", "-key", self.key, "-out", self.path, "-days", "2", "-subj", subject)

    def context(self, node):
        """Of a client that shows a certificate made out to that node."""
        certificate, key = self.world.path(f"node-{node}.pem"), self.world.path(f"node-{node}.key")
        Authority.vouch(self, certificate, key, "DNS:" + name_of(self.cluster, node))
        return showing(certificate, key)

    openssl = staticmethod(Authority.openssl)


def showing(certificate=None, key=None):
    """Of a client that believes any server, and shows this certificate, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
