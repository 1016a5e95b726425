"""One libtorrent peer, set for speed on one machine: libtorrent_peer.py seed|download TORRENT FOLDER PORT [PEER-PORT...]"""

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
    role, torrent, folder, port = sys.argv[1:5]
    session = lt.session({**SETTINGS, "listen_interfaces": f"127.0.0.1:{port}"})
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
        handle.connect_peer(("127.0.0.1", int(peer)))
    if role == "seed":
        while not handle.status().is_seeding:
            time.sleep(0.01)
        print("seeding", flush=True)
        while True:
            time.sleep(3600)
    while not handle.status().is_seeding:
        time.sleep(0.01)


main()
