#pragma once

// What a download that knows only an info-hash puts together before it can begin: InfoAssembly, an info
// dictionary from its pieces (BEP 9), and LayerAssembly, the piece layers that stand beside it (BEP 52), from
// ranges of hashes. Each link is asked for one part at a time, and no part of two links. Pure; MetadataFetch
// is their user.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/digest.h"
#include "core/base/ids.h"
#include "core/swarm/wire.h"

namespace bt::swarm {

// Which of `size` parts are there, or asked of whom.
class Parts {
 public:
  explicit Parts(uint32_t size) : parts_(size), missing_(size) {}
  // The first part that is not asked of anybody is now asked of this link; nullopt: none is left.
  std::optional<uint32_t> Ask(LinkId of);
  bool asked(uint32_t part, LinkId of) const {
    return part < parts_.size() && !parts_[part].there && parts_[part].from == of;
  }
  void Arrived(uint32_t part);
  // What the link owes may be asked of others.
  void Free(LinkId of);
  uint32_t size() const { return static_cast<uint32_t>(parts_.size()); }
  uint32_t missing() const { return missing_; }
  // Who has sent what is there, each once.
  std::vector<LinkId> senders() const;

 private:
  struct Part {
    bool there = false;
    std::optional<LinkId> from;  // who has sent it, or is asked for it
  };
  std::vector<Part> parts_;  // at most kPieceCountLimit
  uint32_t missing_;
};

// An info dictionary of a size that peers have told. Its pieces prove nothing one by one: the whole is
// hashed.
class InfoAssembly {
 public:
  explicit InfoAssembly(uint32_t size)  // of bytes, at least 1
      : bytes_(size, '\0'), parts_((size + wire::kMetadataPiece - 1) / wire::kMetadataPiece) {}

  Parts& parts() { return parts_; }
  const Parts& parts() const { return parts_; }
  uint32_t size() const { return static_cast<uint32_t>(bytes_.size()); }
  // False: this is not what the link was asked for.
  bool Arrived(LinkId from, const wire::Metadata& piece);
  bool complete() const { return parts_.missing() == 0; }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;  // at most kTorrentFileLimit
  Parts parts_;
};

// A piece layer that info dictionaries leave out.
struct MissingLayer {
  Sha256Digest pieces_root{};
  uint32_t height = 0;   // of its hashes above the leaves
  uint32_t entries = 0;  // at least 2
};

// The piece layers an info dictionary of version 2 promises: of each file longer than a piece. None for one
// that cannot be read, or that promises more than kPieceCountLimit hashes: its parser says why.
std::vector<MissingLayer> LayersOf(std::string_view info);

class LayerAssembly {
 public:
  enum class Verdict : uint8_t { kNotAskedFor, kRight, kWrong };

  explicit LayerAssembly(std::vector<MissingLayer> layers);

  Parts& parts() { return parts_; }
  // The request for a part.
  wire::HashSpan SpanOf(uint32_t part) const;
  // Each range comes with its proof, so that who sends a wrong one is known.
  Verdict Arrived(LinkId from, const wire::Hashes& hashes);
  std::optional<uint32_t> PartOf(const wire::HashSpan& span) const;
  bool complete() const { return parts_.missing() == 0; }
  // Bencoded, as a .torrent has them.
  std::string PieceLayers() const;

 private:
  static constexpr uint32_t kHashesPerRequest = 512;  // as BEP 52 recommends

  struct Layer {
    MissingLayer wanted;
    uint32_t first_part = 0;
    uint32_t per_part = 0;             // hashes, a power of two
    std::vector<Sha256Digest> hashes;  // at most kPieceCountLimit, of all layers together
  };
  size_t LayerOf(uint32_t part) const;  // its place in layers_

  std::vector<Layer> layers_;  // at most kPieceCountLimit
  Parts parts_{0};
};

}  // namespace bt::swarm
