// Torrent files of strangers. What is accepted is written and read as the same content again.

#include "core/base/check.h"
#include "core/torrent/metainfo.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto torrent = bt::ParseTorrent(bt::fuzz::Input(data, size).rest());
  if (!torrent.ok()) return 0;
  CHECK(torrent->metainfo.Validate().ok());
  const auto again = bt::ParseTorrent(bt::WriteTorrent(*torrent));
  CHECK_MSG(again.ok(), "a torrent that was accepted is refused when it is written");
  // An info dictionary that is not written as we write it has another hash; that one is told beside ours
  // then.
  bt::Metainfo content = torrent->metainfo;
  content.foreign_info_hashes = again->metainfo.foreign_info_hashes;
  CHECK(again->metainfo == content && again->trackers == torrent->trackers);
  return 0;
}
