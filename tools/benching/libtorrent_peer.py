"""One libtorrent peer, set for speed: libtorrent_peer.py seed|download|share TORRENT FOLDER HOST:PORT [PEER-HOST:PORT...]

It listens there and is told its peers. `download` ends when the file is there, `share` goes on and serves it."""

import sys
import time

import libtorrent as lt

SETTINGS = {
    "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
    "enable_outgoing_utp": False, "enable_incoming_utp": False, "allow_multiple_connections_per_ip": True,
    "out_enc_policy": 2, "in_enc_policy": 2,
    "unchoke_slots_limit": -1, "connections_limit": 500, "max_out_request_queue": 2000, "max_allowed_in_request_queue": 4000,
    "send_buffer_watermark": 8 << 20, "send_buffer_watermark_factor": 200, "recv_socket_buffer_size": 4 << 20,
    "send_socket_buffer_size": 4 << 20, "aio_threads": 4, "hashing_threads": 2, "alert_mask": 0,
    "rate_limit_ip_overhead": False, "disable_hash_checks": False, "connection_speed": 500,
}  # fmt: skip


def main():
    role, torrent, folder, own = sys.argv[1:5]
    session = lt.session({**SETTINGS, "listen_interfaces": own})
    info = lt.torrent_info(torrent)
    parameters = lt.add_torrent_params()
    parameters.ti = info
    parameters.save_path = folder
    parameters.trackers = []
    if role == "seed":
        parameters.flags |= lt.torrent_flags.seed_mode
    parameters.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
    handle = session.add_torrent(parameters)
    handle.replace_trackers([])
    for peer in sys.argv[5:]:
        host, port = peer.rsplit(":", 1)
        handle.connect_peer((host, int(port)))
    while not handle.status().is_seeding:
        time.sleep(0.01)
    print("seeding", flush=True)
    while role != "download":
        time.sleep(3600)


main()
