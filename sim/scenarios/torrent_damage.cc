#include "sim/scenarios/torrent_damage.h"

#include <absl/strings/str_cat.h>

#include <iterator>
#include <utility>

#include "core/torrent/bencode.h"
#include "core/torrent/sha1.h"

namespace bt::sim {
namespace {

using Damaged = std::optional<std::string>;

std::string Text(std::string_view bytes) { return absl::StrCat(bytes.size(), ":") + std::string(bytes); }

// Every place where `old` stands becomes `fresh`.
Damaged Replace(std::string text, std::string_view old, std::string_view fresh) {
  size_t at = text.find(old);
  if (at == std::string::npos) return std::nullopt;
  for (; at != std::string::npos; at = text.find(old, at + fresh.size())) text.replace(at, old.size(), fresh);
  return text;
}

// The value of the first `key` that is followed by a value beginning with `before`.
Damaged ReplaceNumber(const std::string& text, std::string_view key, uint64_t value, std::string_view fresh) {
  return Replace(text, absl::StrCat(key.size(), ":") + std::string(key) + absl::StrCat("i", value, "e"),
                 Text(key) + std::string(fresh));
}

Damaged PieceLength(RandomStream& rng, const TorrentFile& torrent, const std::string& text) {
  const char* const values[] = {"i0e",     "i-16384e",     "i8192e",    "i16385e", "i134217728e",
                                "1:x",     "i4295000064e", "i65536.0e", "le",      "i9223372036854775808e",
                                "i016384e"};
  return ReplaceNumber(text, "piece length", torrent.metainfo.piece_length,
                       values[rng.Below(std::size(values))]);
}

Damaged Length(RandomStream& rng, const TorrentFile& torrent, const std::string& text) {
  const char* const values[] = {"i0e", "i-1e", "0:", "i-0e", "i9223372036854775807e", "de"};
  return ReplaceNumber(text, "length", torrent.metainfo.length, values[rng.Below(std::size(values))]);
}

Damaged MetaVersion(RandomStream& rng, const TorrentFile&, const std::string& text) {
  const char* const values[] = {"i1e", "i3e", "i0e", "1:2"};
  return ReplaceNumber(text, "meta version", 2, values[rng.Below(std::size(values))]);
}

Damaged Name(RandomStream& rng, const TorrentFile& torrent, const std::string& text) {
  const std::string names[] = {"",
                               ".",
                               "..",
                               "a/b",
                               "a\\b",
                               std::string("a\0b", 3),
                               "a\nb",
                               "a\x7f",
                               "\xc2\x85",
                               "\xc0\xaf",
                               "\xed\xa0\x80",
                               "\xe2\x82",
                               "\xf5\x80\x80\x80",
                               std::string(kNameLimit + 1, 'n')};
  // Wherever the name stands: in a tree of files it is a key.
  return Replace(text, Text(torrent.metainfo.name), Text(names[rng.Below(std::size(names))]));
}

// The text of `key` is another one.
template <class Change>
Damaged ReplaceText(const std::string& text, std::string_view key, Change change) {
  const auto document = bencode::Document::Parse(text);
  if (!document.ok()) return std::nullopt;
  const std::string head = Text(key);
  const size_t at = text.find(head);
  if (at == std::string::npos) return std::nullopt;
  const size_t colon = text.find(':', at + head.size());
  if (colon == std::string::npos || text[at + head.size()] < '0' || text[at + head.size()] > '9') {
    return std::nullopt;
  }
  const size_t size = std::stoull(text.substr(at + head.size(), colon - at - head.size()));
  std::string value = text.substr(colon + 1, size);
  if (value.empty()) return std::nullopt;
  change(value);
  return text.substr(0, at) + head + Text(value) + text.substr(colon + 1 + size);
}

Damaged Digests(RandomStream& rng, const TorrentFile&, const std::string& text) {
  const std::string_view keys[] = {"pieces", "pieces root", "piece layer"};
  const std::string_view key = keys[rng.Below(std::size(keys))];
  const bool whole = key != "pieces root" && rng.Chance(1, 2);
  const size_t digest = key == "pieces" ? sizeof(Sha1Digest) : sizeof(Sha256Digest);
  return ReplaceText(text, key, [&](std::string& value) {
    if (whole) {
      value.append(digest, 'x');  // one more than there are pieces
    } else {
      value.pop_back();
    }
  });
}

// A hash of the piece layer that does not lead to the root.
Damaged Layer(RandomStream& rng, const TorrentFile& torrent, const std::string& text) {
  if (torrent.metainfo.piece_layer.empty()) return std::nullopt;
  const std::string_view key =
      torrent.format == TorrentFormat::kV1 ? "piece layer" : BytesOf(torrent.metainfo.pieces_root);
  // The root stands as a value in info, too: the layer follows its last place.
  const size_t at = text.rfind(Text(key));
  if (at == std::string::npos) return std::nullopt;
  const size_t first = text.find(':', at + Text(key).size()) + 1;
  std::string damaged = text;
  damaged[first + rng.Below(torrent.metainfo.piece_layer.size() * sizeof(Sha256Digest))] ^= 1;
  return damaged;
}

Damaged MissingKey(RandomStream& rng, const TorrentFile&, const std::string& text) {
  const std::string_view keys[] = {"info",         "name",      "piece length", "pieces root",
                                   "meta version", "file tree", "length",       "piece layers"};
  const std::string_view key = keys[rng.Below(std::size(keys))];
  // The key is another one at the same place in the order, and of the same length.
  std::string other(key);
  other.back() = static_cast<char>(other.back() + 1);
  return Replace(text, Text(key), Text(other));
}

Damaged SeveralFiles(RandomStream&, const TorrentFile& torrent, const std::string& text) {
  const std::string begin = "4:infod";
  const size_t at = text.find(begin);
  if (torrent.format == TorrentFormat::kV1) {
    return std::string(text).insert(at + begin.size(), Text("files") + "le");
  }
  // A second file behind the first; its name comes later in the order.
  const size_t end = text.find(
      "eee", text.find(Text("pieces root") + "32:") + Text("pieces root").size() + 3 + sizeof(Sha256Digest));
  if (end == std::string::npos) return std::nullopt;
  return std::string(text).insert(end + 2, Text("\xef\xbf\xbd second") + "d0:d6:lengthi5eee");
}

Damaged Bencoding(RandomStream& rng, const TorrentFile&, const std::string& text) {
  switch (rng.Below(9)) {
    case 0:
      return text + "e";
    case 1:
      return text + text;
    case 2:
      return text.substr(0, rng.Below(text.size()));
    case 3:
      return Replace(text, "4:info", "04:info");
    case 4:
      return Replace(text, "4:infod", "4:infode4:infod");  // twice
    case 5:
      return "d4:zzzz1:z" + text.substr(1);  // out of order
    case 6:
      return std::string(text).insert(text.size() - 1,
                                      "4:zzzz" + std::string(40, 'l') + std::string(40, 'e'));
    case 7:
      return std::string(text).insert(text.size() - 1, "4:zzzz");  // a key alone
    default:
      return std::string(text).insert(text.size() - 1, "i5e4:zzzz");  // a key that is a number
  }
}

constexpr TorrentDamage kDamages[] = {
    {"a piece length that none may have", PieceLength},
    {"a length that none may have", Length},
    {"another meta version", MetaVersion},
    {"a name that is no file's", Name},
    {"hashes of another size or number", Digests},
    {"a piece layer that does not lead to the root", Layer},
    {"a key that is missing", MissingKey},
    {"several files", SeveralFiles},
    {"no bencode", Bencoding},
};

}  // namespace

const TorrentDamage& DrawTorrentDamage(RandomStream& rng) { return kDamages[rng.Below(std::size(kDamages))]; }

}  // namespace bt::sim
