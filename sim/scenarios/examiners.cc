#include "sim/scenarios/examiners.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>
#include <variant>

namespace bt::sim {

namespace wire = swarm::wire;

namespace {

constexpr int64_t kRounds = 10;  // of choking
constexpr int64_t kTicksPerRound = 4;
constexpr Duration kGreeting = Seconds(20);  // to connect, on the slowest links there are
constexpr Duration kTickMin = Milliseconds(500);

}  // namespace

// One of them: a connection of its own from an address of its own.
class Examiners::Examiner final : public Endpoint, public StreamUser {
 public:
  Examiner(Examiners* all, Network& network, Streams& streams, const SwarmIntegrity& truth, uint32_t number)
      : all_(all),
        streams_(streams),
        truth_(truth),
        index_(network.Attach(this)),
        rng_(all->rng_.Fork("examiner", number)),
        fast_(rng_.Chance(3, 4)),
        rules_(truth.metainfo(), truth.content(), fast_) {
    streams_.Attach(index_, this, Address::V4(10, 3, 0, static_cast<uint8_t>(number + 1), 6881));
  }

  void Begin() {
    streams_.SetUp(index_, true);
    streams_.Connect(index_, kLink, all_->candidate_.address);
  }
  void End() { streams_.SetUp(index_, false); }
  void Deliver(uint32_t, const Slice&) override {}
  void StreamSent(LinkId, uint64_t) override {}
  void StreamUp(LinkId link, const Address&) override {
    if (link != kLink) return streams_.Close(index_, link, false);
    wire::Handshake ours;
    const std::vector<InfoHash> hashes = truth_.metainfo().AllInfoHashes();
    ours.info_hash = hashes[rng_.Below(hashes.size())];
    ours.fast = fast_;
    ours.extended = true;
    for (uint8_t& byte : ours.peer_id) byte = static_cast<uint8_t>(rng_.Below(256));
    streams_.SendBytes(index_, link, Slice::Own(wire::EncodeHandshake(ours)));
  }
  void StreamDown(LinkId link, const std::string& why) override {
    if (link == kLink) Fail("hangs up on a peer that has done nothing wrong: " + why);
  }
  void StreamBytes(LinkId link, const Slice& bytes) override {
    streams_.Consumed(index_, link, bytes.size());
    decoder_.Feed(bytes);
    if (!interested_) {
      wire::Handshake theirs;
      const wire::Decoder::Result result = decoder_.NextHandshake(theirs);
      if (result == wire::Decoder::Result::kError) return Fail("shakes hands in another protocol");
      if (result != wire::Decoder::Result::kMessage) return;
      Fail(rules_.OnHandshake(theirs));
      if (fast_) Send(wire::HaveNone{});
      Send(wire::Interested{});
      interested_ = true;
    }
    wire::Message message;
    wire::Decoder::Result result;
    while ((result = decoder_.Next(message)) == wire::Decoder::Result::kMessage) OnMessage(message);
    if (result == wire::Decoder::Result::kError)
      Fail(std::string("sends what is no message: ") + decoder_.error());
  }

  // One more block, or an end to one that is waited for; who has nothing to say shows that it is there.
  void Speak() {
    if (!interested_) return;
    const uint64_t before = asked_;
    if (!rules_.choked()) Ask();
    if (asked_ == before) Send(wire::KeepAlive{});
  }

  bool interested() const { return interested_; }
  bool unchoked() const { return !rules_.choked(); }
  bool unchoked_ever() const { return unchoked_ever_; }
  bool answered() const { return rules_.asked().empty(); }

 private:
  static constexpr LinkId kLink{1};

  void Ask() {
    unchoked_ever_ = true;
    if (fast_ && !rules_.asked().empty() && rng_.Chance(1, 8))
      return Send(wire::Cancel{rules_.asked().front()});
    const Metainfo& metainfo = truth_.metainfo();
    const PieceIndex piece(static_cast<uint32_t>(rng_.Below(metainfo.piece_count())));
    const uint32_t size = metainfo.piece_size(piece.value());
    const uint32_t offset =
        static_cast<uint32_t>(rng_.Below((size + kBlockSize - 1) / kBlockSize)) * kBlockSize;
    const wire::BlockSpan block{piece, offset, std::min(kBlockSize, size - offset)};
    if (!rules_.pieces().Has(piece) || !rules_.room() || rules_.IsAsked(block)) return;
    rules_.Asked(block);
    ++asked_;
    Send(wire::Request{block});
  }

  void OnMessage(const wire::Message& message) {
    const bool choked = rules_.choked();
    Fail(rules_.OnMessage(message));
    if (choked != rules_.choked()) ++all_->turns_;
  }
  void Send(const wire::Message& message) {
    std::string bytes;
    wire::Append(message, bytes);
    streams_.SendBytes(index_, kLink, Slice::Own(std::move(bytes)));
  }
  void Fail(const std::string& what) {
    if (!what.empty()) all_->Fail(what);
  }

  Examiners* all_;
  Streams& streams_;
  const SwarmIntegrity& truth_;
  uint32_t index_;
  RandomStream rng_;
  bool fast_;
  wire::Decoder decoder_;
  WireRules rules_;
  uint64_t asked_ = 0;
  bool interested_ = false;
  bool unchoked_ever_ = false;
};

Examiners::Examiners(World& world, Network& network, Streams& streams, const SwarmIntegrity& truth,
                     Candidate candidate)
    : world_(world), candidate_(std::move(candidate)), rng_(world.Stream("examiners' own")) {
  const uint32_t count =
      candidate_.slots <= kContendedSlots ? candidate_.slots + static_cast<uint32_t>(rng_.Between(1, 2)) : 2;
  for (uint32_t i = 0; i < count; ++i)
    examiners_.push_back(std::make_unique<Examiner>(this, network, streams, truth, i));
}

Examiners::~Examiners() = default;

void Examiners::Fail(const std::string& what) const { world_.Fail("wire: " + candidate_.name + " " + what); }

void Examiners::Begin() {
  for (const auto& one : examiners_) one->Begin();
  world_.After(kTickMin, this, 0);
}

Duration Examiners::asking_time() const { return kGreeting + candidate_.choke_interval * kRounds; }

bool Examiners::answered() const {
  return std::all_of(examiners_.begin(), examiners_.end(), [](const auto& one) { return one->answered(); });
}

void Examiners::Fire(uint64_t) {
  if (ending_) return;
  const auto interested = [](const auto& one) { return one->interested(); };
  if (ready_ == Instant::Never() && std::all_of(examiners_.begin(), examiners_.end(), interested))
    ready_ = world_.now();
  for (const auto& one : examiners_) one->Speak();
  JudgeSlots();
  world_.After(std::max(kTickMin, candidate_.choke_interval / kTicksPerRound), this, 0);
}

// Chokes and unchokes of one round come over links that are not equally fast: only what lasts is judged.
void Examiners::JudgeSlots() {
  const bool lasts = std::exchange(turns_before_, turns_) == turns_;
  const auto unchoked = static_cast<uint32_t>(
      std::count_if(examiners_.begin(), examiners_.end(), [](const auto& one) { return one->unchoked(); }));
  const auto ours = static_cast<uint32_t>(
      std::count_if(examiners_.begin(), examiners_.end(), [](const auto& one) { return one->interested(); }));
  alone_ &= candidate_.interested() <= ours;
  if (!lasts) return;
  if (unchoked > candidate_.slots) {
    return Fail(absl::StrFormat("has %d slots, and has unchoked %d peers", candidate_.slots, unchoked));
  }
  const uint32_t due = std::min(candidate_.slots, ours);
  if (ready_ == Instant::Never() || !alone_ || unchoked >= due) return;
  if (world_.now() < ready_ + candidate_.choke_interval * 2 + kGreeting) return;
  Fail(absl::StrFormat("has %d slots for %d interested peers, and has unchoked %d", candidate_.slots, ours,
                       unchoked));
}

// Who gets the optimistic slot is drawn, and may be the same again for long; whoever took nothing lately
// comes before those who did, so that more than there are slots have had one.
void Examiners::Judge() const {
  if (ready_ == Instant::Never()) return Fail("does not shake hands with all who dial it");
  if (!alone_ || !candidate_.whole || candidate_.slots < 2) return;
  const auto had_one = static_cast<size_t>(std::count_if(
      examiners_.begin(), examiners_.end(), [](const auto& one) { return one->unchoked_ever(); }));
  const size_t due = std::min<size_t>(examiners_.size(), candidate_.slots + 1);
  if (had_one < due) Fail(absl::StrFormat("has unchoked the same %d peers all the time", had_one));
}

}  // namespace bt::sim
