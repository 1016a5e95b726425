// The scenario torrent_files: a content is described, its description written in each format, read again,
// damaged and read again. What is read is compared with hashes taken a second time, straight from BEP 3
// and 52.

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "core/torrent/bencode.h"
#include "core/torrent/merkle.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/piece_map.h"
#include "core/torrent/sha1.h"
#include "sim/scenarios/drawn_tree.h"
#include "sim/scenarios/scenarios.h"
#include "sim/scenarios/torrent_damage.h"

namespace bt::sim {
namespace {

constexpr TorrentFormat kFormats[] = {TorrentFormat::kHybrid, TorrentFormat::kV1, TorrentFormat::kV2};

// BEP 52 by recursion: the root over the leaves [first, first + count) of `bytes`, count a power of two; a
// leaf past the end is zeros.
Sha256Digest TreeRoot(std::string_view bytes, uint64_t first, uint64_t count) {
  const uint64_t begin = first * kBlockSize;
  if (count == 1) return begin < bytes.size() ? Sha256(bytes.substr(begin, kBlockSize)) : Sha256Digest{};
  const Sha256Digest left = TreeRoot(bytes, first, count / 2);
  const Sha256Digest right = TreeRoot(bytes, first + count / 2, count / 2);
  return Sha256(std::string(BytesOf(left)) + std::string(BytesOf(right)));
}

class Run {
 public:
  explicit Run(World& world) : world_(world), rng_(world.Stream("torrent_files")) {}

  void All() {
    Describe();
    for (const TorrentFormat format : kFormats) {
      Written(format);
      for (uint64_t i = rng_.Between(2, 8); i > 0 && !world_.failed(); --i) Damaged(format);
      for (uint64_t i = rng_.Between(2, 8); i > 0 && !world_.failed(); --i) Altered(format);
      Foreign(format);
    }
    Proofs();
    for (uint64_t i = 4; i > 0 && !world_.failed(); --i) Contradictory();
    Padded();
    Maps();
    PieceLengths();
    world_.Observe(0, HashBytes(BytesOf(metainfo_.pieces_root)), metainfo_.length);
  }

 private:
  void Fail(std::string what) { world_.Fail("torrents: " + std::move(what)); }

  void Describe() {
    if (rng_.Chance(1, 3)) return DescribeTree();
    const uint32_t piece_length = kPieceLengthMin << rng_.Below(3);
    const uint64_t edge = uint64_t{kBlockSize} << rng_.Below(4);
    std::string bytes(rng_.Chance(1, 3) ? rng_.Between(edge - 1, edge + 1) : rng_.Between(1, 200'000), '\0');
    if (rng_.Chance(1, 10)) bytes.resize(1);
    Rng source(rng_.Next());
    for (char& byte : bytes) byte = static_cast<char>(source.Next());
    std::string name(rng_.Between(1, 30), 'n');
    for (char& letter : name) letter = static_cast<char>('A' + rng_.Below(58));
    name += "\xc3\xa9\xe2\x82\xac";  // an accent and a currency
    std::replace(name.begin(), name.end(), '\\', '-');
    MetainfoBuilder builder(name, bytes.size(), piece_length);
    for (size_t at = 0; at < bytes.size();) {
      const size_t size = std::min<size_t>(rng_.Between(1, 50'000), bytes.size() - at);
      builder.Update(std::string_view(bytes).substr(at, size));
      at += size;
    }
    metainfo_ = builder.Finish();
    const uint64_t pieces = (bytes.size() + piece_length - 1) / piece_length;
    const uint64_t blocks = (bytes.size() + kBlockSize - 1) / kBlockSize;
    Metainfo expected{name, bytes.size(), piece_length, TreeRoot(bytes, 0, std::bit_ceil(blocks)),
                      {},   {},           {},           {}};
    const uint64_t blocks_each = piece_length / kBlockSize;
    for (uint64_t piece = 0; piece < pieces; ++piece) {
      expected.v1_pieces.push_back(Sha1(std::string_view(bytes).substr(piece * piece_length, piece_length)));
      if (pieces > 1) expected.piece_layer.push_back(TreeRoot(bytes, piece * blocks_each, blocks_each));
    }
    if (metainfo_ != expected) Fail("a content is not described as BEP 3 and BEP 52 have it");
    torrent_.metainfo = metainfo_;
    DrawTrackers();
  }

  // Files of any length in a few directories; each is described as if it were alone, but for its pieces'
  // hashes of version 1, which go on to the end of the piece.
  void DescribeTree() {
    const uint32_t piece_length = kPieceLengthMin << rng_.Below(3);
    const FileTree tree = DrawTree(rng_, piece_length);
    const std::vector<FileTree::File>& files = tree.files();
    std::string bytes(tree.length(), '\0');
    Rng source(rng_.Next());
    for (char& byte : bytes) byte = static_cast<char>(source.Next());
    MetainfoBuilder builder("tree", tree, piece_length);
    builder.Update(bytes);
    metainfo_ = builder.Finish();
    std::vector<Sha1Digest> v1;
    std::string_view left = bytes;
    for (size_t i = 0; i < files.size(); ++i) {
      const std::string_view file = left.substr(0, files[i].length);
      left.remove_prefix(file.size());
      if (file.empty()) continue;
      const uint64_t blocks = (file.size() + kBlockSize - 1) / kBlockSize;
      if (metainfo_.tree.files()[i].pieces_root != TreeRoot(file, 0, std::bit_ceil(blocks)))
        Fail("a file of a tree has another root");
      for (size_t at = 0; at < file.size(); at += piece_length) {
        std::string piece(file.substr(at, piece_length));
        if (left.empty() && !tree.padded_end()) {
          v1.push_back(Sha1(piece));
          continue;
        }
        piece.resize(piece_length, '\0');
        v1.push_back(Sha1(piece));
      }
    }
    if (metainfo_.v1_pieces != v1) Fail("the pieces of a tree are not hashed as BEP 3 and BEP 47 have it");
    if (metainfo_.pieces_root != metainfo_.tree.Root() || !metainfo_.Validate().ok())
      Fail("a tree is not valid");
    torrent_.metainfo = metainfo_;
    DrawTrackers();
    Disordered();
  }

  // BEP 52 keys a tree by its names: a path that stands twice, out of order, or as a file and a directory is
  // no place for a file.
  void Disordered() {
    const FileTree& tree = metainfo_.tree;
    std::vector<FileTree::File> files = tree.files();
    if (files.size() < 2) return;
    const size_t second = rng_.Chance(1, 2) ? 1 : rng_.Between(1, files.size() - 1);
    std::vector<std::string>& first_path = files[second - 1].path;
    switch (rng_.Below(3)) {
      case 0:
        std::swap(first_path, files[second].path);
        break;
      case 1:
        files[second].path = first_path;
        break;
      default:
        files[second].path = first_path;
        files[second].path.push_back("x");
    }
    Metainfo disordered = metainfo_;
    disordered.tree = FileTree(std::move(files), metainfo_.piece_length, tree.padded_end());
    if (disordered.Validate().ok()) Fail("a tree whose paths are no tree's is valid");
  }

  void DrawTrackers() {
    for (uint64_t i = rng_.Below(4); i > 0; --i) {
      const std::string url = absl::StrCat("http://10.0.0.", i, ":1/announce");
      trackers_.push_back(url);
      torrent_.trackers.push_back(rng_.Chance(1, 3) ? url + " \r\n" : url);  // as people paste them
    }
  }

  std::string Write(TorrentFormat format) {
    torrent_.format = format;
    return WriteTorrent(torrent_);
  }

  void Written(TorrentFormat format) {
    const std::string text = Write(format);
    const auto read = ParseTorrent(text);
    if (!read.ok()) return Fail("what was written is refused: " + std::string(read.status().message()));
    if (read->metainfo != metainfo_) Fail("what was written is read as another content's");
    if (read->format != format) Fail("what was written is read as another format's");
    if (read->trackers != trackers_) Fail("the trackers that were written are not those that are read");
    const auto document = bencode::Document::Parse(text);
    const std::string_view info = document->root().Find("info")->raw();
    const std::vector<InfoHash> hashes = metainfo_.AllInfoHashes();
    const auto known = [&](const InfoHash& hash) {
      return std::find(hashes.begin(), hashes.end(), hash) != hashes.end();
    };
    if (format != TorrentFormat::kV2 && !known(Sha1(info))) Fail("the info-hash of version 1 is unknown");
    if (format != TorrentFormat::kV1 && !known(CutToInfoHash(Sha256(info)))) {
      Fail("the info-hash of version 2 is unknown");
    }
  }

  void Damaged(TorrentFormat format) {
    const std::string text = Write(format);
    if (!metainfo_.tree.empty()) return DamagedTree(text);
    const TorrentDamage& damage = DrawTorrentDamage(rng_);
    const auto damaged = damage.make(rng_, torrent_, text);
    if (!damaged || *damaged == text) return;
    const auto read = ParseTorrent(*damaged);
    if (read.ok()) Fail(absl::StrFormat("%s is accepted (format %d)", damage.what, static_cast<int>(format)));
  }

  // A file of another length, another name or another place in the order on one side alone, or hashes that
  // are not its own.
  void DamagedTree(const std::string& text) {
    std::string damaged = text;
    const auto put = [&](std::string_view from, std::string_view to) {
      const size_t at = damaged.find(from);
      if (at == std::string::npos) return;
      damaged.replace(at, from.size(), to);
    };
    const FileTree::File& file = metainfo_.tree.files()[rng_.Below(metainfo_.tree.files().size())];
    const std::string name = absl::StrCat(file.path.back().size(), ":", file.path.back());
    switch (rng_.Below(5)) {
      case 0:
        put(name, "2:..");
        break;
      case 1:
        put(absl::StrCat("6:lengthi", file.length, "e"), absl::StrCat("6:lengthi", file.length + 1, "e"));
        break;
      case 2:
        put(name, "3:a/b");
        break;
      case 3:
        put(BytesOf(metainfo_.piece_layer[rng_.Below(metainfo_.piece_layer.size())]), std::string(32, 'x'));
        break;
      default:
        put("4:attr1:p6:lengthi", "4:attr1:p6:lengthi1");
    }
    if (damaged == text) return;
    const auto read = ParseTorrent(damaged);
    if (read.ok() && read->metainfo.content() == metainfo_.content())
      Fail("a damaged tree is accepted as the same");
  }

  // A hybrid says twice which files there are, for clients of either version: who reads one half alone would
  // get other files, so a torrent whose halves differ is nobody's.
  void Contradictory() {
    if (metainfo_.tree.empty()) return;
    std::string text = Write(TorrentFormat::kHybrid);
    const FileTree::File& file = metainfo_.tree.files()[rng_.Below(metainfo_.tree.files().size())];
    std::string path;
    for (const std::string& part : file.path) absl::StrAppend(&path, part.size(), ":", part);
    const std::string entry = absl::StrCat("6:lengthi", file.length, "e4:pathl", path, "e");
    const size_t at = text.find(entry, text.find("5:filesl"));
    if (at == std::string::npos) return Fail("a file is not listed as BEP 3 has it");
    uint64_t length = file.length;
    switch (rng_.Below(4)) {
      case 0:
        ++length;
        break;
      case 1:
        length -= std::min<uint64_t>(length, 1);
        break;
      case 2:
        path.back() = 'x';
        break;
      default:
        path += "1:x";
    }
    const std::string other = absl::StrCat("6:lengthi", length, "e4:pathl", path, "e");
    if (other == entry) return;
    text.replace(at, entry.size(), other);
    if (ParseTorrent(text).ok()) Fail("a torrent is accepted whose halves name different files");
  }

  // Whatever a few bytes become: it is refused, or it is a torrent that can be written and read again.
  void Altered(TorrentFormat format) {
    std::string text = Write(format);
    for (uint64_t i = rng_.Between(1, 3); i > 0; --i) {
      text[rng_.Below(text.size())] = static_cast<char>(rng_.Below(256));
    }
    const auto read = ParseTorrent(text);
    if (!read.ok()) return;
    if (!read->metainfo.Validate().ok()) return Fail("a torrent is accepted that is not valid");
    const auto again = ParseTorrent(WriteTorrent(*read));
    if (!again.ok() || again->metainfo.content() != read->metainfo.content()) {
      Fail("a torrent that was accepted is not when it is written again");
    }
  }

  // An info dictionary with a key of its own has another info-hash, which is kept.
  void Foreign(TorrentFormat format) {
    std::string text = Write(format);
    const std::string head = "4:info";
    const auto document = bencode::Document::Parse(text);
    const std::string info(document->root().Find("info")->raw());
    const std::string other = info.substr(0, info.size() - 1) + "7:privatei1ee";
    text.replace(text.find(head + info) + head.size(), info.size(), other);
    const auto read = ParseTorrent(text);
    if (!read.ok()) return Fail("a private torrent is refused: " + std::string(read.status().message()));
    std::vector<InfoHash> foreign;
    if (format != TorrentFormat::kV2) foreign.push_back(Sha1(other));
    if (format != TorrentFormat::kV1) foreign.push_back(CutToInfoHash(Sha256(other)));
    if (read->metainfo.foreign_info_hashes != foreign) Fail("the info-hash of a private torrent is lost");
  }

  // BEP 52, hash requests: what a range of the piece layer and its uncles prove, and nothing else.
  void Proofs() {
    const std::vector<Sha256Digest>& layer = metainfo_.piece_layer;
    if (layer.empty() || !metainfo_.tree.empty()) return;
    const uint32_t layer_height = merkle::HeightFor(metainfo_.piece_length / kBlockSize);
    const uint32_t layers = merkle::HeightFor(layer.size());
    const uint32_t range_layers = static_cast<uint32_t>(rng_.Below(layers + 1));
    const uint32_t count = uint32_t{1} << range_layers;
    const uint64_t index = rng_.Below((uint64_t{1} << layers) / count) * count;
    std::vector<Sha256Digest> range = merkle::Range(layer, layer_height, index, count);
    for (uint32_t i = 0; i < count; ++i) {
      const Sha256Digest padding = merkle::ZeroRoot(layer_height);
      if (range[i] != (index + i < layer.size() ? layer[index + i] : padding))
        Fail("a range has other hashes");
    }
    const std::vector<Sha256Digest> uncles =
        merkle::Uncles(layer, layer_height, index, count, layers, layer_height + layers);
    if (!merkle::VerifyRange(range, index, uncles, metainfo_.pieces_root)) Fail("a proof is refused");
    range[rng_.Below(count)][0] ^= 1;
    if (merkle::VerifyRange(range, index, uncles, metainfo_.pieces_root)) Fail("a wrong hash is proven");
  }

  // The tree's padding leads to the same root, and is the hash of no piece.
  void Padded() {
    const size_t pieces = metainfo_.piece_layer.size();
    if (!metainfo_.tree.empty() || pieces == 0 || std::has_single_bit(pieces)) return;
    Metainfo padded = metainfo_;
    padded.piece_layer.push_back(merkle::ZeroRoot(merkle::HeightFor(metainfo_.piece_length / kBlockSize)));
    if (padded.Validate().ok()) Fail("a piece layer with a hash more than there are pieces is valid");
  }

  void Maps() {
    const uint32_t size = static_cast<uint32_t>(rng_.Between(1, 200));
    PieceMap map(size);
    uint32_t count = 0;
    for (uint32_t piece = 0; piece < size; ++piece) {
      if (rng_.Chance(1, 2)) count += map.Add(PieceIndex(piece));
    }
    std::string bits = map.ToBitfield();
    if (map.count() != count || PieceMap::FromBitfield(bits, size) != map) Fail("a bitfield is another map");
    std::vector<PieceRange> ranges = map.ToRanges();
    if (PieceMap::FromRanges(ranges, size) != map) Fail("ranges are another map");
    PieceMap all = map;
    all.AddAll(PieceMap::All(size));
    if (!all.all() || all != PieceMap::All(size)) Fail("a map of all pieces is not one");
    if (PieceMap::FromBitfield(bits + '\0', size)) Fail("a bitfield that is too long is accepted");
    if (size % 8 != 0) {
      bits.back() |= static_cast<char>(1 << rng_.Below(8 - size % 8));
      if (PieceMap::FromBitfield(bits, size)) Fail("a bit past the last piece is accepted");
    }
    ranges.push_back({PieceIndex(size), 1});
    if (PieceMap::FromRanges(ranges, size)) Fail("a range past the last piece is accepted");
    ranges.back() = {PieceIndex(size - 1), 0};
    if (PieceMap::FromRanges(ranges, size)) Fail("an empty range is accepted");
  }

  // At most 2,048 pieces where 16 MiB are enough for that, and no longer pieces than it takes.
  void PieceLengths() {
    constexpr uint64_t kPieces = 2048;
    constexpr uint64_t kUsualMax = 16 << 20;
    const uint64_t near = (uint64_t{kPieceLengthMin} << rng_.Below(11)) * kPieces;
    const uint64_t length = rng_.Chance(1, 2) ? near + rng_.Below(2) : rng_.Between(1, near);
    const uint64_t taken = DefaultPieceLength(length);
    const bool few = length <= taken * kPieces;
    const bool needed = taken == kPieceLengthMin || length > taken / 2 * kPieces;
    if (!std::has_single_bit(taken) || taken > kUsualMax || !(few || taken == kUsualMax) || !needed) {
      Fail(absl::StrFormat("a content of %d bytes is cut into pieces of %d", length, taken));
    }
  }

  World& world_;
  RandomStream rng_;
  Metainfo metainfo_;
  TorrentFile torrent_;
  std::vector<std::string> trackers_;  // as they are read
};

void RunTorrentFiles(World& world) { Run(world).All(); }

}  // namespace

const Scenario kTorrentFiles = {"torrent_files",
                                "a content described, written, damaged and read again in each format",
                                RunTorrentFiles, "//tools:simrun"};

}  // namespace bt::sim
