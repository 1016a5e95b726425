// Registration: names, contents and piece hashes, each written once.
//
// Why the checks stand here, at apply, and not where a request comes in: two registrations of one name may be
// under way at two nodes at once. Each node, asked before either is chosen, would say that the name is free.
// The log puts the two in one order, the same on every replica, so the first is created and the second finds
// the name taken, whoever applies them and how often ("Paxos Made Simple", section 3: the state machine is
// deterministic, the log is its only input).

#include <absl/strings/str_cat.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/base/digest.h"
#include "core/torrent/sha1.h"
#include "core/tracker/registry.h"

namespace bt::tracker {

using tracker_api::Outcome;
using tracker_api::Refuse;
using tracker_api::Response;

namespace {

std::string Quoted(const std::string& name) { return absl::StrCat("\"", name, "\""); }

bool Contains(const std::vector<InfoHash>& hashes, const InfoHash& hash) {
  return std::find(hashes.begin(), hashes.end(), hash) != hashes.end();
}

}  // namespace

// Replicas agree on what is full, so these are no sizes of a compiler's.
constexpr uint64_t kTreeFileBytes = 96;  // a file of a tree
constexpr uint64_t kTreePartBytes = 32;  // a part of its path, beside its bytes

uint64_t AccountedBytes(const Metainfo& metainfo) {
  uint64_t bytes =
      metainfo.piece_layer.size() * sizeof(Sha256Digest) + metainfo.v1_pieces.size() * sizeof(Sha1Digest);
  for (const FileTree::File& file : metainfo.tree.files()) {
    bytes += kTreeFileBytes;
    for (const std::string& part : file.path) bytes += kTreePartBytes + part.size();
  }
  return bytes;
}

bool Registry::HasName(const Torrent& torrent, const std::string& name) const {
  const auto found = state_.names.find(name);
  return found != state_.names.end() && found->second.torrent == torrent.number;
}

std::optional<Response> Registry::Conflict(const Metainfo& metainfo, const Torrent* known) const {
  const ContentId content = metainfo.content();
  const auto name = state_.names.find(metainfo.name);
  if (name != state_.names.end() && torrent(name->second.torrent).content() != content) {
    return Refuse(Outcome::kConflict,
                  absl::StrCat("the name ", Quoted(metainfo.name), " is already bound to content ",
                               torrent(name->second.torrent).content().ToString(),
                               "; this torrent is content ", content.ToString()));
  }
  if (known == nullptr) return std::nullopt;
  const auto differs = [&](std::string what) {
    return Refuse(Outcome::kConflict,
                  absl::StrCat("content ", content.ToString(), " is already registered (as ",
                               Quoted(known->metainfo.name), ") ", what));
  };
  if (known->metainfo.piece_length != metainfo.piece_length) {
    return differs(
        absl::StrCat("with piece length ", known->metainfo.piece_length, ", not ", metainfo.piece_length));
  }
  if (known->metainfo.tree.files() != metainfo.tree.files()) return differs("with other files");
  if (known->metainfo.piece_layer != metainfo.piece_layer) return differs("with other piece hashes (v2)");
  // Saying less is no contradiction; saying more would be a second write.
  if (metainfo.v1_pieces.empty()) return std::nullopt;
  if (known->metainfo.v1_pieces.empty()) {
    return differs("without v1 piece hashes, and hashes are written once: they cannot be added");
  }
  if (known->metainfo.v1_pieces != metainfo.v1_pieces) return differs("with other piece hashes (v1)");
  return std::nullopt;
}

std::optional<Response> Registry::OverLimit(const Metainfo& metainfo, const Torrent* known,
                                            uint32_t new_hashes, Source source) const {
  if (known == nullptr && torrents() >= limits().torrents) {
    return Refuse(Outcome::kTooLarge, absl::StrCat("this cluster keeps at most ", limits().torrents,
                                                   " torrents and has them all"));
  }
  const bool new_name = known == nullptr || !HasName(*known, metainfo.name);
  if (auto over = OverShare(metainfo, new_name, known == nullptr, source)) return over;
  if (known != nullptr && new_name && known->names >= limits().names_per_content) {
    return Refuse(Outcome::kTooLarge,
                  absl::StrCat("content ", known->content().ToString(), " already has ",
                               limits().names_per_content, " names, the most it can have"));
  }
  if ((known == nullptr ? 0 : known->info_hashes) + new_hashes > limits().info_hashes_per_content) {
    return Refuse(Outcome::kTooLarge,
                  absl::StrCat("content ", metainfo.content().ToString(), " would have over ",
                               limits().info_hashes_per_content, " info-hashes"));
  }
  const uint64_t more = (new_name ? kNameBytes : 0) + new_hashes * kInfoHashBytes +
                        (known == nullptr ? AccountedBytes(metainfo) : 0);
  if (bytes_ + more > limits().bytes) {
    return Refuse(Outcome::kTooLarge,
                  absl::StrCat("the registry is full: it keeps at most ", limits().bytes, " bytes"));
  }
  return std::nullopt;
}

// A name is bound for ever, so there is nothing of its own that could make room.
std::optional<Response> Registry::OverShare(const Metainfo& metainfo, bool new_name, bool new_content,
                                            Source source) const {
  const Share share = shares_.Of(source);
  if (new_name && share.names >= limits().source_names) {
    return Refuse(Outcome::kTooLarge,
                  absl::StrCat("your address (", SourceText(source), ") has registered ", share.names,
                               " names, as many as one may; the cluster's operator can agree to more "
                               "(source_names)"));
  }
  if (new_content && share.registered_bytes + AccountedBytes(metainfo) > limits().source_registered_bytes) {
    return Refuse(
        Outcome::kTooLarge,
        absl::StrCat("your address (", SourceText(source), ") has registered ", share.registered_bytes,
                     " bytes of piece hashes, and one may register ", limits().source_registered_bytes,
                     "; the cluster's operator can agree to more (source_registered_bytes)"));
  }
  return std::nullopt;
}

Torrent& Registry::AddTorrent(const Metainfo& metainfo, Source source) {
  const TorrentNumber number(static_cast<uint32_t>(state_.torrents.size()));
  Torrent& torrent = state_.torrents.emplace_back();
  torrent.number = number;
  torrent.since = log_time();
  torrent.metainfo = metainfo;
  torrent.metainfo.foreign_info_hashes.clear();
  contents_.emplace(torrent.content(), number);
  bytes_ += AccountedBytes(metainfo);
  shares_.AddRegisteredBytes(source, AccountedBytes(metainfo));
  digest_ += DigestOfTorrent(torrent);
  return torrent;
}

void Registry::BindName(Torrent& torrent, const Metainfo& metainfo, const std::vector<InfoHash>& new_hashes,
                        Source source) {
  const auto [name, added] = state_.names.try_emplace(metainfo.name);
  NameBinding& binding = name->second;
  if (added) {
    binding.torrent = torrent.number;
    binding.binding = state_.bindings++;
    binding.source = source;
    shares_.AddName(source);
    ++torrent.names;
    bytes_ += kNameBytes;
  } else {
    digest_ -= DigestOfName(name->first, binding);
  }
  for (const InfoHash& hash : new_hashes) {
    const bool foreign = Contains(metainfo.foreign_info_hashes, hash);
    const InfoHashBinding bound{torrent.number, metainfo.name, foreign, state_.bindings++};
    digest_ += DigestOfInfoHash(hash, bound);
    state_.info_hashes.emplace(hash, bound);
    if (foreign) binding.foreign.push_back(hash);
  }
  torrent.info_hashes += static_cast<uint32_t>(new_hashes.size());
  bytes_ += new_hashes.size() * kInfoHashBytes;
  digest_ += DigestOfName(name->first, binding);
  peaks_.Note(Held::kNameBytes, name->first.size());
  peaks_.Note(Held::kForeignInfoHashes, binding.foreign.size());
  NoteBound(torrent);
  NoteTables();
  if (torrent.names > 1 || !binding.foreign.empty()) ListInfoHashes(torrent, new_hashes);
}

void Registry::ListInfoHashes(const Torrent& torrent, const std::vector<InfoHash>& new_hashes) {
  const auto [listed, first] = info_hashes_of_.try_emplace(torrent.number);
  if (first) {
    Metainfo whole = torrent.metainfo;
    whole.foreign_info_hashes = state_.names.at(whole.name).foreign;
    for (const InfoHash& hash : whole.AllInfoHashes()) listed->second.insert(hash);
  }
  listed->second.insert(new_hashes.begin(), new_hashes.end());
}

Response Registry::ApplyOne(const tracker_api::Register& op, Source source) {
  const ContentId content = op.metainfo.content();
  const auto found = contents_.find(content);
  Torrent* known = found == contents_.end() ? nullptr : &state_.torrents[found->second.value()];
  // The piece layer of a known content needs no hashing: Conflict compares it with the one that was proven.
  const absl::Status valid = known == nullptr ? op.metainfo.Validate(limits().metainfo)
                                              : op.metainfo.ValidateForm(limits().metainfo);
  if (!valid.ok()) return Refuse(Outcome::kInvalid, std::string(valid.message()));
  if (auto conflict = Conflict(op.metainfo, known)) return *std::move(conflict);

  // The whole promise under this name: what is registered already, and the new name and foreign hashes.
  Metainfo whole = known == nullptr ? op.metainfo : known->metainfo;
  whole.name = op.metainfo.name;
  whole.foreign_info_hashes = op.metainfo.foreign_info_hashes;
  std::vector<InfoHash> new_hashes;
  for (const InfoHash& hash : whole.AllInfoHashes()) {
    const auto bound = state_.info_hashes.find(hash);
    if (bound == state_.info_hashes.end()) {
      if (!Contains(new_hashes, hash)) new_hashes.push_back(hash);
    } else if (known == nullptr || bound->second.torrent != known->number) {
      return Refuse(Outcome::kConflict, absl::StrCat("the info-hash ", Hex(hash), " already means content ",
                                                     torrent(bound->second.torrent).content().ToString()));
    }
  }
  const bool created = known == nullptr || !HasName(*known, whole.name);
  if (created || !new_hashes.empty()) {
    if (auto over = OverLimit(whole, known, static_cast<uint32_t>(new_hashes.size()), source))
      return *std::move(over);
    if (known == nullptr) known = &AddTorrent(whole, source);
    BindName(*known, whole, new_hashes, source);
  }
  Response response;
  response.outcome = created ? Outcome::kCreated : Outcome::kOk;
  response.body = tracker_api::Registered{content};
  return response;
}

}  // namespace bt::tracker
