// Reading and writing .torrent files (BEP 3, BEP 12, BEP 52).

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>
#include <absl/strings/str_cat.h>

#include <algorithm>
#include <optional>

#include "core/base/check.h"
#include "core/torrent/bencode.h"
#include "core/torrent/invalid.h"
#include "core/torrent/metainfo.h"
#include "core/torrent/sha1.h"

namespace bt {
namespace {

using bencode::Value;

// `path` names the value for the reader: "info.piece length".
absl::StatusOr<Value> Member(const std::optional<Value>& dictionary, std::string_view key, const char* path) {
  const auto value = dictionary ? dictionary->Find(key) : std::nullopt;
  if (!value) return Invalid(path, " is missing");
  return *value;
}

absl::StatusOr<uint64_t> NumberMember(const Value& dictionary, std::string_view key, const char* path) {
  const auto value = Member(dictionary, key, path);
  if (!value.ok()) return value.status();
  const auto number = value->integer();
  if (!number) return Invalid(path, " is not an integer");
  if (*number < 0) return Invalid(path, " is negative (", *number, ")");
  return static_cast<uint64_t>(*number);
}

absl::StatusOr<std::string_view> TextMember(const Value& dictionary, std::string_view key, const char* path) {
  const auto value = Member(dictionary, key, path);
  if (!value.ok()) return value.status();
  const auto text = value->text();
  if (!text) return Invalid(path, " is not a string");
  return *text;
}

template <class Digest>
absl::Status DigestMember(const Value& dictionary, std::string_view key, const char* path, Digest& digest) {
  const auto text = TextMember(dictionary, key, path);
  if (!text.ok()) return text.status();
  if (text->size() != digest.size()) {
    return Invalid(path, " has ", text->size(), " bytes instead of ", digest.size());
  }
  std::copy(text->begin(), text->end(), digest.begin());
  return absl::OkStatus();
}

template <class Digest>
absl::Status SplitDigests(std::string_view bytes, const char* path, std::vector<Digest>& digests) {
  constexpr size_t kSize = std::tuple_size_v<Digest>;
  if (bytes.size() % kSize != 0) {
    return Invalid(path, " has ", bytes.size(), " bytes, not a multiple of ", kSize);
  }
  if (bytes.size() / kSize > kPieceCountLimit) {
    return Invalid(path, " has ", bytes.size() / kSize, " entries; at most ", kPieceCountLimit,
                   " are allowed");
  }
  digests.resize(bytes.size() / kSize);
  for (size_t i = 0; i < digests.size(); ++i) {
    std::copy_n(bytes.begin() + static_cast<ptrdiff_t>(i * kSize), kSize, digests[i].begin());
  }
  return absl::OkStatus();
}

template <class Digest>
absl::Status DigestsMember(const Value& dictionary, std::string_view key, const char* path,
                           std::vector<Digest>& digests) {
  const auto text = TextMember(dictionary, key, path);
  if (!text.ok()) return text.status();
  return SplitDigests(*text, path, digests);
}

// Fills in one TorrentFile from a parsed document, part by part.
class Reader {
 public:
  explicit Reader(const Value& root) : root_(root) {}

  absl::StatusOr<TorrentFile> Read() {
    if (!root_.is_dictionary()) return Invalid("not a torrent: the file is not a dictionary");
    const auto info = root_.Find("info");
    if (!info || !info->is_dictionary()) return Invalid("not a torrent: there is no info dictionary");
    for (const auto step : {&Reader::ReadCommon, &Reader::ReadV1, &Reader::ReadV2, &Reader::ReadExtra}) {
      if (absl::Status status = (this->*step)(*info); !status.ok()) return status;
    }
    ReadTrackers();
    if (absl::Status status = metainfo().Validate(); !status.ok()) return status;
    KeepForeignHashes(info->raw());
    return std::move(torrent_);
  }

 private:
  Metainfo& metainfo() { return torrent_.metainfo; }

  absl::Status ReadCommon(const Value& info) {
    has_v1_ = info.Find("pieces").has_value();
    has_v2_ = info.Find("meta version").has_value() || info.Find("file tree").has_value();
    if (!has_v1_ && !has_v2_) {
      return Invalid("not a torrent: info has neither pieces (v1) nor file tree (v2)");
    }
    torrent_.format = has_v1_ && has_v2_ ? TorrentFormat::kHybrid
                      : has_v1_          ? TorrentFormat::kV1
                                         : TorrentFormat::kV2;
    const auto name = TextMember(info, "name", "info.name");
    if (!name.ok()) return name.status();
    if (absl::Status status = ValidateName(*name); !status.ok()) {
      return Invalid("info.name: ", status.message());
    }
    metainfo().name = std::string(*name);
    const auto piece_length = NumberMember(info, "piece length", "info.piece length");
    if (!piece_length.ok()) return piece_length.status();
    if (*piece_length > kPieceLengthMax) {
      return Invalid("info.piece length ", *piece_length, " is over ", kPieceLengthMax);
    }
    metainfo().piece_length = static_cast<uint32_t>(*piece_length);
    return absl::OkStatus();
  }

  // Of a tree, "files" is held against the file tree once that is known: see FinishTree.
  absl::Status ReadV1(const Value& info) {
    if (!has_v1_) return absl::OkStatus();
    is_tree_ = info.Find("files").has_value();
    if (is_tree_ && info.Find("length")) return Invalid("info has both files and length");
    if (!is_tree_) {
      const auto length = NumberMember(info, "length", "info.length");
      if (!length.ok()) return length.status();
      if (*length == 0) return Invalid("info.length is 0: an empty file cannot be shared");
      metainfo().length = *length;
    }
    return DigestsMember(info, "pieces", "info.pieces", metainfo().v1_pieces);
  }

  absl::Status ReadV2(const Value& info) {
    if (!has_v2_) return absl::OkStatus();
    const auto version = NumberMember(info, "meta version", "info.meta version");
    if (!version.ok()) return version.status();
    if (*version != 2) return Invalid("info.meta version ", *version, " is unknown");
    const auto tree = Member(info, "file tree", "info.file tree");
    if (!tree.ok()) return tree.status();
    auto files = FileTree::ReadTree(*tree);
    if (!files.ok()) return files.status();
    const FileTree::File& first = files->front();
    const bool single = files->size() == 1 && first.path.size() == 1 && first.path.front() == metainfo().name;
    if (has_v1_ && single == is_tree_) return Invalid("info has the form of a tree on one side alone");
    is_tree_ = !single;
    if (is_tree_) {
      if (absl::Status status = TakeTree(*std::move(files)); !status.ok()) return status;
      if (absl::Status status = CheckLayersBelong(); !status.ok()) return status;
      return FinishTree(info, [this](size_t file) { return LayerFromTorrent(file); });
    }
    if (first.length == 0) return Invalid("info.file tree length is 0: an empty file cannot be shared");
    if (has_v1_ && first.length != metainfo().length) {
      return Invalid("info.length ", metainfo().length, " and info.file tree length ", first.length,
                     " disagree");
    }
    metainfo().length = first.length;
    metainfo().pieces_root = first.pieces_root;
    return ReadPieceLayers();
  }

  // Everything that is asked of a tree from here on needs one that is valid, and is not too large.
  absl::Status TakeTree(std::vector<FileTree::File> files) {
    if (metainfo().piece_length < kPieceLengthMin) {
      return Invalid("info.piece length ", metainfo().piece_length, " is under ", kPieceLengthMin);
    }
    FileTree tree(std::move(files), metainfo().piece_length);
    if (absl::Status status = tree.Validate(); !status.ok())
      return Invalid("info.file tree: ", status.message());
    if (tree.piece_count() > kPieceCountLimit) {
      return Invalid("the tree has ", tree.piece_count(), " pieces; at most ", kPieceCountLimit,
                     " are allowed");
    }
    metainfo().length = tree.length();
    metainfo().pieces_root = tree.Root();
    metainfo().tree = std::move(tree);
    return absl::OkStatus();
  }

  // `layer_of`: the entries of one file that is longer than a piece.
  template <class LayerOf>
  absl::Status FinishTree(const Value& info, LayerOf layer_of) {
    Metainfo& whole = metainfo();
    for (size_t i = 0; i < whole.tree.files().size(); ++i) {
      const FileTree::File& file = whole.tree.files()[i];
      if (file.length == 0) continue;
      if (file.length <= whole.piece_length) {
        whole.piece_layer.push_back(file.pieces_root);
        continue;
      }
      absl::StatusOr<std::vector<Sha256Digest>> layer = layer_of(i);
      if (!layer.ok()) return layer.status();
      whole.piece_layer.insert(whole.piece_layer.end(), layer->begin(), layer->end());
    }
    if (!has_v1_) return absl::OkStatus();
    const absl::StatusOr<bool> padded = whole.tree.CheckFiles(*info.Find("files"));
    if (!padded.ok()) return padded.status();
    if (*padded) whole.tree = FileTree(whole.tree.files(), whole.piece_length, true);
    return absl::OkStatus();
  }

  absl::Status CheckLayersBelong() {
    const auto layers = Member(root_, "piece layers", "piece layers");
    if (!layers.ok()) return layers.status();
    if (!layers->is_dictionary()) return Invalid("piece layers is not a dictionary");
    absl::btree_set<std::string_view> roots;
    for (const FileTree::File& file : metainfo().tree.files()) {
      if (file.length > metainfo().piece_length) roots.insert(BytesOf(file.pieces_root));
    }
    for (auto key = layers->first(); key; key = key->next()->next()) {
      if (!roots.contains(*key->text())) return Invalid("piece layers has an entry that belongs to no file");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<Sha256Digest>> LayerFromTorrent(size_t file) {
    const auto layers = Member(root_, "piece layers", "piece layers");
    if (!layers.ok()) return layers.status();
    const std::string path = metainfo().tree.files()[file].Path();
    const auto layer = layers->Find(BytesOf(metainfo().tree.files()[file].pieces_root));
    if (!layer || !layer->text()) return Invalid("piece layers has no entry for ", path);
    std::vector<Sha256Digest> digests;
    if (absl::Status status = SplitDigests(*layer->text(), "piece layers", digests); !status.ok())
      return status;
    const uint64_t pieces = (metainfo().tree.files()[file].length - 1) / metainfo().piece_length + 1;
    if (digests.size() != pieces) {
      return Invalid("piece layers has ", digests.size(), " entries for ", path, " instead of ", pieces);
    }
    return digests;
  }

  // BEP 52: the dictionary is always there; an entry only for a file longer than a piece.
  absl::Status ReadPieceLayers() {
    const auto layers = Member(root_, "piece layers", "piece layers");
    if (!layers.ok()) return layers.status();
    if (!layers->is_dictionary()) return Invalid("piece layers is not a dictionary");
    const bool wanted = metainfo().length > metainfo().piece_length;
    const auto key = layers->first();
    if (!key) return wanted ? Invalid("piece layers has no entry for the file") : absl::OkStatus();
    const std::string_view root = BytesOf(metainfo().pieces_root);
    if (key->text() != root || key->next()->next()) {
      return Invalid("piece layers has an entry that belongs to no file");
    }
    if (!wanted) return Invalid("piece layers has an entry for a file of one piece");
    const auto layer = key->next()->text();
    if (!layer) return Invalid("piece layers: the entry is not a string");
    return SplitDigests(*layer, "piece layers", metainfo().piece_layer);
  }

  // What the format leaves out of info, as WriteTorrent puts it beside.
  absl::Status ReadExtra(const Value& info) {
    const auto extra = root_.Find("bytetorrent");
    if (extra && !extra->is_dictionary()) return Invalid("bytetorrent is not a dictionary");
    if (extra && extra->Find("info hashes")) {
      auto& told = torrent_.told_info_hashes;
      if (absl::Status status = DigestsMember(*extra, "info hashes", "bytetorrent.info hashes", told);
          !status.ok()) {
        return status;
      }
      if (told.size() > 2) return Invalid("bytetorrent.info hashes holds more than 2");
    }
    if (torrent_.format == TorrentFormat::kV2 && extra && extra->Find("pieces")) {
      if (is_tree_ && extra->Find("padded end")) {
        metainfo().tree = FileTree(metainfo().tree.files(), metainfo().piece_length, true);
      }
      return DigestsMember(*extra, "pieces", "bytetorrent.pieces", metainfo().v1_pieces);
    }
    if (torrent_.format != TorrentFormat::kV1) return absl::OkStatus();
    if (is_tree_ && extra && extra->Find("file tree")) return ReadExtraTree(*extra, info);
    if (is_tree_ || !extra || !extra->Find("pieces root")) {
      return Invalid(
          "this v1 torrent carries no content root, because another program made it: make one from the ",
          is_tree_ ? "directory" : "file", " with bytetorrent create");
    }
    if (absl::Status status =
            DigestMember(*extra, "pieces root", "bytetorrent.pieces root", metainfo().pieces_root);
        !status.ok()) {
      return status;
    }
    if (metainfo().length <= metainfo().piece_length) return absl::OkStatus();
    return DigestsMember(*extra, "piece layer", "bytetorrent.piece layer", metainfo().piece_layer);
  }

  // A v1 torrent of a tree: its file tree, and the layers of the files that are longer than a piece, one
  // behind the other.
  absl::Status ReadExtraTree(const Value& extra, const Value& info) {
    auto files = FileTree::ReadTree(*extra.Find("file tree"));
    if (!files.ok()) return files.status();
    if (absl::Status status = TakeTree(*std::move(files)); !status.ok()) return status;
    std::vector<Sha256Digest> layers;
    if (extra.Find("piece layer")) {
      absl::Status status = DigestsMember(extra, "piece layer", "bytetorrent.piece layer", layers);
      if (!status.ok()) return status;
    }
    size_t next = 0;
    absl::Status status = FinishTree(info, [&](size_t file) -> absl::StatusOr<std::vector<Sha256Digest>> {
      const uint64_t pieces = (metainfo().tree.files()[file].length - 1) / metainfo().piece_length + 1;
      if (layers.size() - next < pieces) return Invalid("bytetorrent.piece layer has too few entries");
      const auto begin = layers.begin() + static_cast<ptrdiff_t>(next);
      next += pieces;
      return std::vector<Sha256Digest>(begin, begin + static_cast<ptrdiff_t>(pieces));
    });
    if (status.ok() && next != layers.size()) return Invalid("bytetorrent.piece layer has too many entries");
    return status;
  }

  // announce and announce-list stand outside info and are hints: what is no URL there is left out, and does
  // not make a torrent unusable whose content can be proven.
  void ReadTrackers() {
    if (const auto tiers = root_.Find("announce-list")) {
      for (auto tier = tiers->first(); tier; tier = tier->next()) {
        for (auto url = tier->first(); url; url = url->next()) AddTracker(*url);
      }
    }
    // BEP 12: where there is an announce-list, announce is not another tracker.
    if (!torrent_.trackers.empty()) return;
    if (const auto announce = root_.Find("announce")) AddTracker(*announce);
  }

  void AddTracker(const Value& value) {
    std::string_view url = value.text().value_or("");
    // Typed and pasted URLs often end in a space or a line break.
    while (!url.empty() && (url.back() == ' ' || url.back() == '\n' || url.back() == '\r'))
      url.remove_suffix(1);
    if (url.empty() || url.size() > kTrackerUrlLimit) return;
    if (!std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c <= '~'; })) return;
    auto& trackers = torrent_.trackers;
    if (trackers.size() == kTrackerCountLimit) return;
    if (std::find(trackers.begin(), trackers.end(), url) == trackers.end()) trackers.emplace_back(url);
  }

  // An info dictionary with keys of its own has info-hashes that cannot be derived from the content.
  void KeepForeignHashes(std::string_view info) {
    if (info == metainfo().InfoBytes(torrent_.format)) return;
    if (has_v1_) metainfo().foreign_info_hashes.push_back(Sha1(info));
    if (has_v2_) metainfo().foreign_info_hashes.push_back(CutToInfoHash(Sha256(info)));
  }

  Value root_;
  TorrentFile torrent_;
  bool has_v1_ = false;
  bool has_v2_ = false;
  bool is_tree_ = false;
};

// The entries of all files of a tree that are longer than a piece, one behind the other.
std::vector<Sha256Digest> LongLayers(const Metainfo& metainfo) {
  std::vector<Sha256Digest> layers;
  for (size_t i = 0; i < metainfo.tree.files().size(); ++i) {
    const auto layer = metainfo.LayerOf(i);
    if (layer.size() > 1) layers.insert(layers.end(), layer.begin(), layer.end());
  }
  return layers;
}

// The value of "piece layers": by pieces root, an entry for each file longer than a piece.
void WritePieceLayers(const Metainfo& metainfo, bencode::Writer& writer) {
  absl::btree_map<std::string_view, std::span<const Sha256Digest>> layers;
  if (metainfo.tree.empty() && !metainfo.piece_layer.empty()) {
    layers.emplace(BytesOf(metainfo.pieces_root), metainfo.piece_layer);
  }
  for (size_t i = 0; i < metainfo.tree.files().size(); ++i) {
    const auto layer = metainfo.LayerOf(i);
    if (layer.size() > 1) layers.emplace(BytesOf(metainfo.tree.files()[i].pieces_root), layer);
  }
  writer.BeginDictionary();
  for (const auto& [root, layer] : layers) {
    writer.Key(root).Text(Joined(std::vector<Sha256Digest>(layer.begin(), layer.end())));
  }
  writer.End();
}

void WriteExtra(const TorrentFile& torrent, bencode::Writer& writer) {
  const Metainfo& metainfo = torrent.metainfo;
  const std::vector<InfoHash>& foreign = metainfo.foreign_info_hashes;
  const bool v1 = torrent.format == TorrentFormat::kV1;
  const bool v1_pieces = torrent.format == TorrentFormat::kV2 && !metainfo.v1_pieces.empty();
  if (foreign.empty() && !v1 && !v1_pieces) return;
  // Keys in the order bencoding demands.
  writer.Key("bytetorrent").BeginDictionary();
  const bool tree = !metainfo.tree.empty();
  if (v1 && tree) {
    writer.Key("file tree");
    metainfo.tree.WriteTree(writer);
  }
  if (!foreign.empty()) writer.Key("info hashes").Text(Joined(foreign));
  if (v1_pieces && metainfo.tree.padded_end()) writer.Key("padded end").Integer(1);
  const std::vector<Sha256Digest> layer = tree ? LongLayers(metainfo) : metainfo.piece_layer;
  if (v1 && !layer.empty()) writer.Key("piece layer").Text(Joined(layer));
  if (v1_pieces) writer.Key("pieces").Text(Joined(metainfo.v1_pieces));
  if (v1 && !tree) writer.Key("pieces root").Text(BytesOf(metainfo.pieces_root));
  writer.End();
}

}  // namespace

absl::StatusOr<TorrentFile> ParseTorrent(std::string_view bytes) {
  if (bytes.size() > kTorrentFileLimit) {
    return Invalid("the torrent has ", bytes.size(), " bytes; at most ", kTorrentFileLimit, " are allowed");
  }
  const auto document = bencode::Document::Parse(bytes);
  if (!document.ok()) return document.status();
  return Reader(document->root()).Read();
}

std::string WriteTorrent(const TorrentFile& torrent) {
  const Metainfo& metainfo = torrent.metainfo;
  std::string file;
  bencode::Writer writer(file);
  writer.BeginDictionary();
  if (!torrent.trackers.empty()) writer.Key("announce").Text(torrent.trackers[0]);
  if (torrent.trackers.size() > 1) {
    // BEP 12: a tier of its own for each, so that they are tried in order.
    writer.Key("announce-list").BeginList();
    for (const std::string& url : torrent.trackers) writer.BeginList().Text(url).End();
    writer.End();
  }
  WriteExtra(torrent, writer);
  writer.Key("info").Raw(metainfo.InfoBytes(torrent.format));
  if (torrent.format != TorrentFormat::kV1) {
    writer.Key("piece layers");
    WritePieceLayers(metainfo, writer);
  }
  writer.End();
  return file;
}

}  // namespace bt
