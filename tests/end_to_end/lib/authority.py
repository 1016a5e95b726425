"""Certificates for stories: an authority of one's own, by the program openssl."""

import subprocess

from processes import check

NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """Vouches for certificates."""

    def __init__(self, world, name):
        self.path = world.path(name + ".pem")
        self.key = world.path(name + ".key")
        self.openssl("req", "-x509", *NEW_KEY, "-keyout", self.key, "-out", self.path, "-days", "2", "-subj", f"/CN={name}")

    @staticmethod
    def openssl(*arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
        check(done.returncode == 0, lambda: f"openssl {arguments}: {done.stderr}")

    def vouch(self, certificate, key, hosts):
        request, extensions = certificate + ".request", certificate + ".extensions"
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={hosts}\n")
        self.openssl("req", *NEW_KEY, "-keyout", key, "-out", request, "-subj", "/CN=tracker")
        by = ["-CA", self.path, "-CAkey", self.key, "-CAcreateserial"]
        self.openssl("x509", "-req", "-in", request, *by, "-out", certificate, "-days", "2", "-extfile", extensions)
