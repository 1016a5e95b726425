#include "sim/scenarios/wire_conduct.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "core/base/overloaded.h"

namespace bt::sim {

namespace wire = swarm::wire;

namespace {

constexpr size_t kRemembered = 2048;     // blocks given up, or asked for by who gets no refusals
constexpr uint64_t kFrameStart = 4;      // bytes of a frame's length
constexpr uint64_t kBlockFrameRest = 9;  // of a block's frame, before the block

bool Take(std::vector<wire::BlockSpan>& blocks, const wire::BlockSpan& block) {
  const auto found = std::find(blocks.begin(), blocks.end(), block);
  if (found == blocks.end()) return false;
  blocks.erase(found);
  return true;
}

bool Has(const std::vector<wire::BlockSpan>& blocks, const wire::BlockSpan& block) {
  return std::find(blocks.begin(), blocks.end(), block) != blocks.end();
}

void Remember(std::vector<wire::BlockSpan>& blocks, const wire::BlockSpan& block) {
  if (blocks.size() >= kRemembered) blocks.erase(blocks.begin());
  blocks.push_back(block);
}

std::string Text(const wire::BlockSpan& block) {
  return absl::StrFormat("%d bytes at %d of piece %d", block.length, block.offset, block.piece.value());
}

}  // namespace

void WireConduct::Fail(const std::string& what) { world_.Fail("conduct: " + name_ + " " + what); }

WireConduct::Conversation* WireConduct::Find(LinkId link) {
  const auto found = talks_.find(link);
  if (found == talks_.end()) return nullptr;
  touched_.insert(link);
  return &found->second;
}

// The block that begins there, whatever length it is said to have; of length 0: there is none.
WireConduct::BlockSpan WireConduct::Whole(BlockSpan block) const {
  block.length = 0;
  if (block.piece.value() >= metainfo_.piece_count() || block.offset % kBlockSize != 0) return block;
  const uint32_t size = metainfo_.piece_size(block.piece.value());
  if (block.offset < size) block.length = std::min(kBlockSize, size - block.offset);
  return block;
}

// --- what it hears ---

void WireConduct::OnInput(const LinkSent& sent) {
  if (Conversation* talk = Find(sent.link)) talk->sent = sent.total;
}

void WireConduct::OnInput(const LinkReceived& received) {
  Conversation* talk = Find(received.link);
  if (talk == nullptr || talk->broken) return;
  talk->heard.Feed(received.bytes);
  using Result = wire::Decoder::Result;
  Result result = Result::kMessage;
  if (!talk->greeted) {
    wire::Handshake handshake;
    result = talk->heard.NextHandshake(handshake);
    if (result == Result::kMessage) Greeted(*talk, handshake);
  }
  wire::Message message;
  while (result == Result::kMessage && !talk->broken) {
    result = talk->heard.Next(message);
    if (result == Result::kMessage) Hear(*talk, message);
  }
  talk->broken |= result == Result::kError;
}

void WireConduct::Hear(Conversation& talk, const wire::Message& message) {
  const auto told = [&](PieceMap pieces) {
    talk.theirs = std::move(pieces);
    talk.theirs_changed = true;
  };
  std::visit(
      Overloaded{
          [&](const wire::Choke&) {
            talk.peer_choking = true;
            for (const BlockSpan& block : std::exchange(talk.asked, {})) {
              Remember(talk.given_up, block);
              talk.settled.push_back(block);
            }
          },
          [&](const wire::Unchoke&) { talk.peer_choking = false; },
          [&](const wire::Interested&) { talk.peer_interested = slots_touched_ = true; },
          [&](const wire::NotInterested&) {
            talk.peer_interested = false;
            slots_touched_ = true;
          },
          [&](const wire::Have& have) {
            if (have.piece.value() >= talk.theirs.size()) {
              talk.broken = true;
            } else {
              talk.theirs.Add(have.piece);
              talk.theirs_changed = true;
            }
          },
          [&](const wire::Bitfield& bitfield) {
            auto pieces = PieceMap::FromBitfield(bitfield.bits.view(), metainfo_.piece_count());
            pieces ? told(*std::move(pieces)) : void(talk.broken = true);
          },
          [&](const wire::HaveAll&) { told(PieceMap::All(metainfo_.piece_count())); },
          [&](const wire::HaveNone&) { told(PieceMap(metainfo_.piece_count())); },
          [&](const wire::Request& request) {
            const BlockSpan& block = request.block;
            talk.broken |= block.piece.value() >= metainfo_.piece_count() || block.length == 0 ||
                           block.length > kBlockSize;
            if (talk.fast) {
              talk.owed.push_back(block);  // each is answered at once, or waits for a place among a few
            } else if (!talk.choking) {
              Remember(talk.owed, block);
            }
          },
          [&](const wire::Cancel& cancel) { HearCancel(talk, cancel.block); },
          [&](const wire::Reject& reject) {
            talk.broken |= !talk.fast;
            talk.rejected = true;
            const BlockSpan block = Whole(reject.block);
            if (!Take(talk.given_up, block) && Take(talk.asked, block)) talk.settled.push_back(block);
          },
          [&](const wire::Piece& piece) { HearBlock(talk, piece); },
          [&](const wire::ExtendedHandshake& extended) {
            if (extended.reqq) talk.reqq = std::max(1u, *extended.reqq);
            if (extended.port && !talk.dialled) talk.listens.port = *extended.port;
            talk.exchanges = extended.peer_exchange_id != 0;
          },
          [](const auto&) {},
      },
      message);
}

// Answers keep the order of requests: the first is that to what was given up. Who asks again for what it has
// given up has to say that it needs no second answer.
void WireConduct::HearBlock(Conversation& talk, const wire::Piece& piece) {
  const BlockSpan block{piece.piece, piece.offset, static_cast<uint32_t>(piece.bytes.size())};
  if (Take(talk.given_up, block) || !Take(talk.asked, block)) return;
  arrived_.push_back(block);
  talk.settled.push_back(block);
}

// BEP 6: a cancelled request is answered all the same, with one or the other.
void WireConduct::HearCancel(Conversation& talk, const BlockSpan& block) {
  if (!talk.fast && Take(talk.owed, block)) talk.settled.push_back(block);
}

// --- what it says ---

void WireConduct::OnEffect(const LinkEffect& effect, Instant now) {
  if (const auto* connect = std::get_if<LinkConnect>(&effect)) {
    Dial(*connect);
  } else if (const auto* close = std::get_if<LinkClose>(&effect)) {
    Close(close->link);
  } else if (const auto* file = std::get_if<LinkSendFile>(&effect)) {
    SayFile(*file);
  } else if (const auto* bytes = std::get_if<LinkSendBytes>(&effect)) {
    if (Conversation* talk = Find(bytes->link)) Say(*talk, bytes->bytes, now);
  }
}

void WireConduct::SayFile(const LinkSendFile& send) {
  bytes_sent_ += send.length;
  Conversation* talk = Find(send.link);
  if (talk == nullptr) return;
  const std::string_view header = send.header.view();
  if (header.size() != wire::kBlockHeaderSize) return Fail("sends a part of its file that is no block");
  const auto number = [&](size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(header[at + i]);
    return value;
  };
  const uint32_t length = number(0) - static_cast<uint32_t>(kBlockFrameRest);
  SayBlock(*talk, {PieceIndex(number(kFrameStart + 1)), number(kFrameStart + 5), length});
  talk->queued += header.size() + send.length;
  if (send.length > length) return Fail("sends more than the block");
  talk->payload = length - send.length;
}

void WireConduct::Say(Conversation& talk, const Slice& bytes, Instant now) {
  talk.queued += bytes.size();
  const uint64_t skipped = std::min<uint64_t>(talk.payload, bytes.size());
  talk.payload -= skipped;
  if (skipped == bytes.size()) return;
  talk.said.Feed(bytes.From(skipped));
  using Result = wire::Decoder::Result;
  Result result = Result::kMessage;
  if (!talk.spoken) {
    wire::Handshake handshake;
    result = talk.said.NextHandshake(handshake);
    if (result == Result::kMessage) Spoke(talk, handshake);
  }
  wire::Message message;
  while (result == Result::kMessage && (result = talk.said.Next(message)) == Result::kMessage)
    Say(talk, message, now);
  if (result == Result::kError) Fail(std::string("says what is no message: ") + talk.said.error());
}

void WireConduct::Say(Conversation& talk, const wire::Message& message, Instant now) {
  std::visit(Overloaded{
                 [&](const wire::Choke&) {
                   if (std::exchange(talk.choking, true)) Fail("chokes twice");
                   slots_touched_ = true;
                   if (!talk.fast) talk.owed.clear();
                 },
                 [&](const wire::Unchoke&) {
                   if (!std::exchange(talk.choking, false)) Fail("unchokes twice");
                   slots_touched_ = true;
                 },
                 [&](const wire::Interested&) {
                   if (std::exchange(talk.interested, true)) Fail("says twice that it is interested");
                   talk.theirs_changed = true;
                 },
                 [&](const wire::NotInterested&) {
                   if (!std::exchange(talk.interested, false)) Fail("says twice that it is not interested");
                   talk.theirs_changed = true;
                 },
                 [&](const wire::Request& request) { Ask(talk, request.block); },
                 [&](const wire::Cancel& cancel) {
                   // What has come, or met a choke, behind what made it cancel is settled already.
                   if (Take(talk.asked, cancel.block)) return Remember(talk.given_up, cancel.block);
                   if (!Take(talk.settled, cancel.block))
                     Fail("cancels what it has not asked for: " + Text(cancel.block));
                 },
                 [&](const wire::Reject& reject) {
                   if (!talk.fast) Fail("refuses a request of a peer that knows no refusals");
                   if (!Take(talk.owed, reject.block))
                     Fail("refuses what it owes nobody: " + Text(reject.block));
                 },
                 [&](const wire::Piece& piece) {
                   SayBlock(talk, {piece.piece, piece.offset, static_cast<uint32_t>(piece.bytes.size())});
                 },
                 [&](const wire::Have& have) {
                   if (have.piece.value() >= talk.ours.size()) return Fail("has a piece that does not exist");
                   if (!talk.ours.Add(have.piece) && !lost_.Has(have.piece)) {
                     Fail(absl::StrFormat("says twice that it has piece %d", have.piece.value()));
                   }
                 },
                 [&](const wire::Bitfield& bitfield) {
                   auto pieces = PieceMap::FromBitfield(bitfield.bits.view(), metainfo_.piece_count());
                   pieces ? Tell(talk, *pieces) : Fail("says a bitfield that is none");
                 },
                 [&](const wire::HaveAll&) { Tell(talk, PieceMap::All(metainfo_.piece_count())); },
                 [&](const wire::HaveNone&) { Tell(talk, PieceMap(metainfo_.piece_count())); },
                 [&](const wire::Suggest& suggest) { Suggest(talk, suggest.piece); },
                 [&](const wire::ExtendedHandshake& extended) {
                   if (std::exchange(talk.introduced, true)) Fail("introduces itself twice");
                   if (extended.reqq != limits_.waiting_requests)
                     Fail("names another number of requests than its limit");
                 },
                 [&](const wire::PeerExchange& exchange) { Exchange(talk, exchange, now); },
                 [](const auto&) {},
             },
             message);
}

void WireConduct::Suggest(const Conversation& talk, PieceIndex piece) {
  if (!talk.fast) Fail("suggests a piece to a peer that knows no suggestions");
  // What the peer says of its pieces in this very step it may say behind what is answered.
  if (talk.theirs_changed || !talk.theirs.Has(piece)) return;
  Fail(absl::StrFormat("suggests piece %d to a peer that has it", piece.value()));
}

void WireConduct::Ask(Conversation& talk, const BlockSpan& block) {
  if (block.length == 0 || block != Whole(block)) return Fail("asks for what is no block: " + Text(block));
  if (talk.peer_choking) return Fail("asks a peer that chokes it");
  if (!talk.interested) return Fail("asks a peer without saying that it is interested");
  if (!talk.theirs.Has(block.piece)) {
    return Fail(absl::StrFormat("asks for piece %d of a peer that has not got it", block.piece.value()));
  }
  if (Has(talk.asked, block)) return Fail("asks a peer twice for " + Text(block));
  if (talk.asked.size() >= talk.reqq) {
    return Fail(absl::StrFormat("has more than the %d requests out that the peer lets wait", talk.reqq));
  }
  talk.asked.push_back(block);
  asked_for_.push_back(block.piece);
}

void WireConduct::SayBlock(Conversation& talk, const BlockSpan& block) {
  if (talk.choking) Fail("sends a block to whom it chokes");
  if (!Take(talk.owed, block) && !Take(talk.settled, block)) {
    Fail("sends what it was not asked for, or sends it again: " + Text(block));
  }
}

void WireConduct::Tell(Conversation& talk, const PieceMap& pieces) {
  if (std::exchange(talk.told, true)) Fail("says a second time what it has");
  if (!talk.ours.none()) Fail("says what it has in whole after it has said it in part");
  talk.ours = pieces;
  if (pieces != verified_)
    Fail(absl::StrFormat("says that it has %d pieces, and has %d", pieces.count(), verified_.count()));
}

void WireConduct::Exchange(Conversation& talk, const wire::PeerExchange& exchange, Instant now) {
  if (!talk.exchanges) Fail("tells of its peers whom that does not interest");
  if (talk.exchanged != Instant{} && now >= talk.exchanged &&
      now - talk.exchanged < swarm::PeerExchange::kInterval) {
    Fail("tells of its peers too often");
  }
  talk.exchanged = now;
  for (const wire::PeerExchange::Added& added : exchange.added) {
    if (!talk.exchange.insert(added.peer).second) Fail("tells again of the peer " + added.peer.ToString());
  }
  for (const Address& dropped : exchange.dropped) {
    if (talk.exchange.erase(dropped) == 0) Fail("drops a peer it has not told of: " + dropped.ToString());
  }
  if (exchange.dropped.size() < wire::kExchangeLimit) JudgeExchange(talk);
}

// BEP 11: who is told of is who it is connected with, or was when this step began.
void WireConduct::JudgeExchange(const Conversation& talk) {
  for (const Address& address : talk.exchange) {
    const bool there = std::any_of(talks_.begin(), talks_.end(), [&](const auto& entry) {
      return entry.second.ready() && entry.second.listens == address;
    });
    if (there || std::find(parted_.begin(), parted_.end(), address) != parted_.end()) continue;
    return Fail("does not say that it is no longer connected with " + address.ToString());
  }
}

// --- after the step ---

void WireConduct::OnStep(const PieceMap& verified, const PieceMap& unselected, bool downloads) {
  if (verified.size() == verified_.size() && verified != verified_) {
    PieceMap gone = verified_;
    gone.RemoveAll(verified);
    lost_.AddAll(gone);
    const PieceMap before = std::exchange(verified_, verified);
    JudgeHaves(before);
    for (auto& [link, talk] : talks_) JudgeInterest(talk, unselected, downloads);
  }
  for (const LinkId link : std::exchange(touched_, {})) {
    const auto found = talks_.find(link);
    if (found == talks_.end()) continue;
    Conversation& talk = found->second;
    if (talk.broken) Fail("keeps a peer that has broken the protocol");
    if (std::exchange(talk.newcomer, false)) JudgeTwins(link, talk);
    if (std::exchange(talk.theirs_changed, false)) JudgeInterest(talk, unselected, downloads);
    JudgeAnswers(talk);
    talk.settled.clear();
  }
  JudgeArrivals();
  JudgeRequests(unselected);
  if (std::exchange(slots_touched_, false)) {
    JudgeSlots();
    JudgeDials();
    JudgeTries(downloads);
  }
  parted_.clear();
}

uint64_t WireConduct::queued(LinkId link) const {
  const auto found = talks_.find(link);
  return found == talks_.end() ? 0 : found->second.queued;
}

void WireConduct::JudgeInterest(Conversation& talk, const PieceMap& unselected, bool downloads) {
  if (!talk.ready()) return;
  PieceMap useful = talk.theirs;
  useful.RemoveAll(verified_);
  if (unselected.size() == useful.size()) useful.RemoveAll(unselected);
  if (talk.interested && useful.none()) Fail("is interested in a peer that has nothing for it");
  // What was refused does not count for a while.
  if (!talk.interested && !useful.none() && downloads && !talk.rejected)
    Fail(absl::StrFormat("is not interested in a peer that has %d pieces for it", useful.count()));
}

void WireConduct::JudgeAnswers(const Conversation& talk) {
  if (!talk.fast || !talk.ready() || talk.owed.empty()) return;
  if (talk.choking) return Fail("chokes, and does not refuse " + Text(talk.owed.front()));
  if (talk.owed.size() > limits_.waiting_requests) {
    return Fail(
        absl::StrFormat("lets %d requests wait, and says %d", talk.owed.size(), limits_.waiting_requests));
  }
  if (talk.sent == talk.queued && !limited_)
    Fail("does not answer on an idle link: " + Text(talk.owed.front()));
}

void WireConduct::JudgeHaves(const PieceMap& before) {
  PieceMap gained = verified_;
  gained.RemoveAll(before);
  for (const auto& [link, talk] : talks_) {
    if (!talk.ready()) continue;
    PieceMap untold = gained;
    untold.RemoveAll(talk.ours);
    untold.RemoveAll(talk.theirs);
    if (!untold.none()) Fail("tells a peer that lacks it nothing of a piece that it has got");
  }
}

// BEP 3: what was asked of several, for fear of the last ones, is cancelled with the others when it is here.
void WireConduct::JudgeArrivals() {
  for (const BlockSpan& block : std::exchange(arrived_, {})) {
    for (const auto& [link, talk] : talks_) {
      if (Has(talk.asked, block)) return Fail("goes on asking for what has come: " + Text(block));
    }
  }
}

// A piece that was lost in this step may be asked for in it.
void WireConduct::JudgeRequests(const PieceMap& unselected) {
  for (const PieceIndex piece : std::exchange(asked_for_, {})) {
    const bool unwanted = piece.value() < unselected.size() && unselected.Has(piece);
    if (verified_.Has(piece) || unwanted) {
      Fail(absl::StrFormat("asks for piece %d, which it has or does not want", piece.value()));
    }
  }
}

void WireConduct::JudgeSlots() {
  uint32_t taken = 0;
  bool waits = false;
  for (const auto& [link, talk] : talks_) {
    if (!talk.ready()) continue;
    if (!talk.choking) ++taken;
    waits |= talk.choking && talk.peer_interested;
  }
  if (taken > slots_) return Fail(absl::StrFormat("has %d slots, and has unchoked %d peers", slots_, taken));
  if (waits && taken < slots_ && !limited_)
    Fail(absl::StrFormat("has %d slots, has unchoked %d peers, and lets one wait", slots_, taken));
}

}  // namespace bt::sim
