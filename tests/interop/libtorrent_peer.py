"""A libtorrent client that finds its peers through the torrent's trackers: libtorrent_peer.py WHO seed|download TORRENT FOLDER PORT

WHO is "libtorrent", or "hidden-libtorrent" for one that speaks with nobody but under message stream encryption, by RC4.

TORRENT is a .torrent file or a magnet link.
"""

import sys
import time

import libtorrent as lt


def main():
    who, role, torrent, folder, port = sys.argv[1:]
    hidden = {"in_enc_policy": int(lt.enc_policy.pe_forced), "out_enc_policy": int(lt.enc_policy.pe_forced), "allowed_enc_level": int(lt.enc_level.pe_rc4)}
    session = lt.session(
        {
            "listen_interfaces": f"127.0.0.1:{port}", "enable_dht": False, "enable_lsd": False, "enable_upnp": False, "enable_natpmp": False,
            "enable_outgoing_utp": False, "enable_incoming_utp": False, "allow_multiple_connections_per_ip": True, "min_announce_interval": 1,
            **(hidden if who == "hidden-libtorrent" else {}),
        }
    )  # fmt: skip
    if torrent.startswith("magnet:"):
        parameters = lt.parse_magnet_uri(torrent)
    else:
        parameters = lt.add_torrent_params()
        parameters.ti = lt.torrent_info(torrent)
    parameters.save_path = folder
    handle = session.add_torrent(parameters)
    while role == "seed" or not handle.status().is_seeding:
        time.sleep(0.01)  # lint: allow(wait): the poll of a program of its own, ended by the test


main()
