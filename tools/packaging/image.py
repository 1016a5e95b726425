"""An OCI image layout (image-spec 1.0) of one layer: both programs and the libraries that they load, nothing else.

`skopeo copy oci-archive:FILE docker-daemon:bytetorrent:VERSION` and `podman load -i FILE` take it.
"""

import datetime
import gzip
import hashlib
import io
import json
import os
import platform
import tarfile

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
# The user that the node runs as; files of others are not its own.
_USER = 65532


def _entry(archive, name, epoch, content=None, mode=0o644, owner=0):
    info = tarfile.TarInfo(name)
    info.mtime, info.mode, info.uid, info.gid = epoch, mode, owner, owner
    if content is None:
        info.type = tarfile.DIRTYPE
        archive.addfile(info)
        return
    info.size = len(content)
    archive.addfile(info, io.BytesIO(content))


def _layer(programs, epoch):
    files = {}
    for program in programs:
        files[f"usr/bin/{program.name}"] = program.path
        for path in program.libraries():
            files[path.lstrip("/")] = os.path.realpath(path)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        folders = {"data", "tmp", "etc"}
        for name in files:
            while name := os.path.dirname(name):
                folders.add(name)
        for folder in sorted(folders):
            own = folder == "data"
            _entry(archive, folder, epoch, mode=0o1777 if folder == "tmp" else 0o700 if own else 0o755, owner=_USER if own else 0)
        user = f"root:x:0:0::/:/nologin\nbytetorrent:x:{_USER}:{_USER}::/data:/nologin\n"
        _entry(archive, "etc/passwd", epoch, user.encode())
        for name, source in sorted(files.items()):
            with open(source, "rb") as file:
                _entry(archive, name, epoch, file.read(), mode=0o755)
    return buffer.getvalue()


class _Blobs:
    """Contents by their digests."""

    def __init__(self):
        self.contents = {}

    def add(self, content, media_type):
        digest = hashlib.sha256(content).hexdigest()
        self.contents[digest] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}

    def add_json(self, value, media_type):
        return self.add(json.dumps(value, sort_keys=True, indent=1).encode(), media_type)


def build(programs, epoch, output):
    """Writes the layout as one archive; its name."""
    version, architecture = programs[0].version, _ARCHITECTURES.get(platform.machine(), platform.machine())
    created = datetime.datetime.fromtimestamp(epoch, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    layer, blobs = _layer(programs, epoch), _Blobs()
    # Level 9 takes three times as long, for half a hundredth of the size.
    layers = [blobs.add(gzip.compress(layer, compresslevel=6, mtime=0), "application/vnd.oci.image.layer.v1.tar+gzip")]
    config = blobs.add_json(
        {
            "architecture": architecture,
            "os": "linux",
            "created": created,
            "config": {
                "User": f"{_USER}:{_USER}",
                "Cmd": ["/usr/bin/bytetorrent-tracker", "--data-dir", "/data/node"],
                "Env": ["PATH=/usr/bin"],
                "ExposedPorts": {"6969/tcp": {}, "6969/udp": {}},
                "Volumes": {"/data": {}},
                "WorkingDir": "/data",
                "StopSignal": "SIGTERM",
                "Labels": {"org.opencontainers.image.title": "bytetorrent", "org.opencontainers.image.version": version},
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
        },
        "application/vnd.oci.image.config.v1+json",
    )
    manifest = blobs.add_json(
        {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": layers},
        "application/vnd.oci.image.manifest.v1+json",
    )
    manifest["annotations"] = {"org.opencontainers.image.ref.name": version}
    name = f"bytetorrent_{version}_{architecture}.oci.tar"
    with tarfile.open(os.path.join(output, name), mode="w", format=tarfile.USTAR_FORMAT) as archive:
        _entry(archive, "oci-layout", epoch, b'{"imageLayoutVersion": "1.0.0"}')
        index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [manifest]}
        _entry(archive, "index.json", epoch, json.dumps(index, sort_keys=True, indent=1).encode())
        for digest, content in sorted(blobs.contents.items()):
            _entry(archive, f"blobs/sha256/{digest}", epoch, content)
    return name
