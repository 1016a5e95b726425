#include "sim/scenarios/swarm_client.h"

#include <absl/strings/str_format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "core/base/check.h"
#include "core/base/fields.h"
#include "core/base/halves.h"
#include "core/swarm/resume_state.h"
#include "core/swarm/web_seed_limits.h"
#include "sim/scenarios/swarm_world.h"

namespace bt::sim {
namespace {

// Longer than any sync takes, or any process is stalled or slow.
constexpr Duration kSaidWithin = Seconds(30);

}  // namespace

// --- ClientAdaptor ---

Metainfo ClientAdaptor::torrent() const {
  Metainfo metainfo = plan_.other_name ? swarm_->under_other_name() : swarm_->judge().metainfo();
  if (plan_.contradicts) {
    for (Sha1Digest& hash : metainfo.v1_pieces) hash[0] ^= 1;
  }
  return metainfo;
}

std::unique_ptr<swarm::Client> ClientAdaptor::Make(ClientHost& host) {
  swarm::Config config = swarm_->client_config();
  const Metainfo metainfo = torrent();
  swarm_->judge().OnStart(host.name());
  if (!plan_.downloads) ProvideOffered(host);
  if (plan_.downloads && !std::exchange(part_provided_, true)) ProvidePart(host);
  // Its withdrawal may still be on its way, and be executed after this life's first claim.
  if (stops_since_ != Instant::Never() && !withdrawn_) withdrawal_may_be_late_ = true;
  answered_ = offered_ = failed_ = unread_ = withdrawn_ = false;
  ++life_;
  began_ = host.now();
  cut_from_ = UINT32_MAX;
  put_back_ = false;
  edits_.clear();
  told_.clear();
  if (!plan_.downloads) swarm_->judge().OnNoticed(host.name());
  stops_since_ = Instant::Never();
  // A download that was finished before the process died is offered by the next one.
  const bool has_it = host.files().LengthOf(metainfo.name).has_value();
  if (has_it && plan_.downloads) {
    finished_ = true;
    swarm_->judge().OnFinished(host.name(), *host.files().Look(metainfo.name));
  }
  config.role = has_it ? swarm::Role::kOffer : swarm::Role::kDownload;
  if (plan_.by_magnet && !has_it) {
    config.magnet = {metainfo.InfoHashV1(TorrentFormat::kHybrid),
                     metainfo.InfoHashV2(TorrentFormat::kHybrid)};
  } else if (plan_.by_key && !has_it) {
    config.key = metainfo.content();
  } else {
    config.metainfo = metainfo;
    if (!plan_.other_name) config.format = plan_.format;
  }
  if (plan_.selects) {
    DrawSelection(host);
    config.select = Patterns();
  }
  // Who has only a key, or a magnet link, does not know them.
  web_left_.clear();
  if (swarm_->web() != nullptr && config.metainfo && config.role == swarm::Role::kDownload) {
    config.web_seeds = swarm_->web()->size();
    config.timing.web_seed_patience = swarm_->web()->patience();
    for (uint32_t i = 0; i < config.web_seeds; ++i) web_left_.insert(i);
  }
  config.listen = plan_.address;
  config.trackers = swarm_->cluster().size();
  config.skip_verify = !plan_.honest && !plan_.contradicts;
  config.keep_offering = plan_.keep_offering;
  config.wait_for_registration = true;
  if (plan_.peers_alone && config.magnet) {
    config.trackers = 0;
    config.peers = swarm_->HonestAddresses();
  }
  // What fetches the torrent itself from peers speaks another part of the wire.
  if (plan_.honest && !plan_.by_magnet) {
    if (!conduct_) conduct_.emplace(host.world(), host.name(), swarm_->judge().metainfo());
    conduct_->OnStart(config);
  }
  return std::make_unique<swarm::Client>(config);
}

// Anew in each life: whoever finds a file cut short puts a whole one in its place.
void ClientAdaptor::ProvideOffered(ClientHost& host) {
  SwarmIntegrity& judge = swarm_->judge();
  const Metainfo metainfo = torrent();
  if (plan_.contradicts) return host.files().Provide(metainfo.name, judge.content());
  if (!plan_.honest) return host.files().Provide(metainfo.name, swarm_->wrong_content());
  std::string bytes(judge.content().view());
  judge.OnWholeFile(host.name());
  for (const uint32_t piece : plan_.damaged) {
    bytes[size_t{piece} * metainfo.piece_length] ^= 1;
    judge.OnDamaged(host.name(), piece);
  }
  host.files().Provide(metainfo.name, Slice::Own(std::move(bytes)));
}

void ClientAdaptor::ProvidePart(ClientHost& host) {
  if (plan_.part == PartFile::kNone) return;
  const Metainfo metainfo = torrent();
  std::string bytes(metainfo.end_offset(), 'x');
  PieceMap right(metainfo.piece_count());
  for (uint32_t piece = 0; piece < metainfo.piece_count(); piece += 2) {
    const uint64_t at = uint64_t{piece} * metainfo.piece_length;
    bytes.replace(at, metainfo.piece_size(piece),
                  swarm_->judge().content().view().substr(at, metainfo.piece_size(piece)));
    right.Add(PieceIndex(piece));
  }
  const std::string all = PieceMap::All(metainfo.piece_count()).ToBitfield();
  swarm::ResumeState state{metainfo.content(), metainfo.piece_length, all};
  switch (plan_.part) {
    case PartFile::kOwnState:
      state.verified = right.ToBitfield();
      break;
    case PartFile::kForeignContent:
      state.content.root[0] ^= 1;
      break;
    case PartFile::kForeignPieces:
      state.piece_length *= 2;
      break;
    case PartFile::kNone:
    case PartFile::kBytesAlone:
    case PartFile::kGarbage:
    case PartFile::kCount:
      break;
  }
  std::string word = Encode(state);
  if (plan_.part == PartFile::kBytesAlone) word.clear();
  if (plan_.part == PartFile::kGarbage) word = "what is this?";
  host.files().ProvidePart(metainfo.name, std::move(bytes), Slice::Own(std::move(word)));
}

void ClientAdaptor::Transmit(ClientHost& host, NodeId to, const Slice& message) {
  const auto any = Decode<swarm::Protocol::Message>(message);
  CHECK(any.ok());
  if (const auto* fetch = std::get_if<swarm::FetchRange>(&*any)) {
    return swarm_->web()->Fetch(host, to, *fetch, torrent(), swarm_->judge().content());
  }
  auto edge = Decode<EdgeMessage>(message);
  CHECK(edge.ok());
  const auto* ask = std::get_if<tracker_api::Ask>(&*edge);
  if (plan_.by_magnet && ask != nullptr && std::holds_alternative<tracker_api::Fetch>(ask->request)) return;
  std::visit([this](auto& one) { one.id = Join(life_, LowHalf(one.id)); }, *edge);
  host.network().Send(host.index(), to.value(), Slice::Own(Encode(*edge)));
}

void ClientAdaptor::Deliver(ClientHost& host, uint32_t from, const Slice& bytes) {
  auto edge = Decode<EdgeMessage>(bytes);
  CHECK(edge.ok());
  const uint64_t id = std::visit([](const auto& one) { return one.id; }, *edge);
  if (HighHalf(id) != life_) return;  // the connection ended with the process
  std::visit([](auto& one) { one.id = LowHalf(one.id); }, *edge);
  host.Receive(NodeId(from), Slice::Own(Encode(*edge)));
}

Slice ClientAdaptor::PieceBytes(ClientHost& host, uint32_t piece) {
  const Metainfo metainfo = torrent();
  return host.files()
      .Peek(swarm::kContentFile, uint64_t{piece} * metainfo.piece_length, metainfo.piece_size(piece))
      .value_or(Slice());
}

// What a client takes up again at its start is right, but for what others have changed in its file.
void ClientAdaptor::CheckResumed(ClientHost& host) {
  SwarmIntegrity& judge = swarm_->judge();
  for (const uint64_t offset : host.files().TakeAltered(torrent().name + ".part")) {
    judge.OnAltered(host.name(), plan_.address, offset);
  }
  const PieceMap& pieces = host.machine()->verified();
  // What was read, and hashed, before others cut the file short is another matter.
  for (uint32_t i = 0; i < std::min(pieces.size(), cut_from_); ++i) {
    if (pieces.Has(PieceIndex(i))) judge.OnResumed(host.name(), i, PieceBytes(host, i).view());
  }
}

void ClientAdaptor::Note(ClientHost& host, const swarm::Protocol::Note& note) {
  if (!plan_.honest) return;
  SwarmIntegrity& judge = swarm_->judge();
  if (const auto* verified = std::get_if<swarm::PieceVerified>(&note)) {
    const uint32_t piece = verified->piece.value();
    // It was read, and hashed, before others cut the file short.
    if (piece >= cut_from_) return;
    judge.OnVerified(host.name(), piece, PieceBytes(host, piece).view());
  } else if (std::holds_alternative<swarm::FileReady>(note)) {
    CheckResumed(host);
  } else if (const auto* rejected = std::get_if<swarm::PieceRejected>(&note)) {
    judge.OnRejected(host.name(), rejected->piece.value(), rejected->peers);
  } else if (const auto* banned = std::get_if<swarm::PeerBanned>(&note)) {
    judge.OnBanned(host.name(), banned->peer);
    if (conduct_) conduct_->OnBanned(banned->peer);
  } else if (const auto* trouble = std::get_if<swarm::WebSeedTrouble>(&note)) {
    OnWebTrouble(host, *trouble);
  } else if (std::holds_alternative<swarm::DownloadComplete>(note)) {
    Finished(host);
  } else if (const auto* failed = std::get_if<swarm::Failed>(&note)) {
    failed_ = true;
    // An offer none of whose pieces is good names the reason of one: damaged ones have another than unread
    // ones.
    const bool told = host.files().Explains(failed->reason) || unread_;
    if (!told) judge.OnFailed(host.name(), failed->reason);
  } else if (const auto* unusable = std::get_if<swarm::PieceUnusable>(&note)) {
    if (host.files().Explains(unusable->why)) {
      unread_ = true;
      return;
    }
    judge.OnUnusable(host.name(), unusable->piece.value(), unusable->why);
  } else if (std::holds_alternative<swarm::Withdrawn>(note)) {
    withdrawn_ = stops_since_ != Instant::Never();
  } else if (std::holds_alternative<swarm::Offered>(note)) {
    offered_ = true;
  } else if (std::holds_alternative<swarm::Stopped>(note)) {
    CheckLeft(host);
  }
}

// An honest server may seem late to a client whose process stood still.
void ClientAdaptor::OnWebTrouble(ClientHost& host, const swarm::WebSeedTrouble& trouble) {
  using Verdict = swarm::WebSeedTrouble::Verdict;
  if (trouble.verdict == Verdict::kAskedAgain) return;
  web_left_.erase(trouble.seed);
  if (trouble.verdict == Verdict::kLied) {
    return swarm_->judge().OnBanned(host.name(), swarm::WebSeedAddress(trouble.seed));
  }
  if (!swarm_->web()->honest(trouble.seed) || trouble.why == "no answer in time") return;
  host.world().Fail(absl::StrFormat("web: %s gives up server %d, which is honest: %s", host.name(),
                                    trouble.seed, trouble.why));
}

bool ClientAdaptor::MayUseTheWeb() const {
  return plan_.downloads && std::any_of(web_left_.begin(), web_left_.end(),
                                        [&](uint32_t server) { return swarm_->web()->honest(server); });
}

void ClientAdaptor::Finished(ClientHost& host) {
  finished_ = true;
  finished_at_ = host.world().now();
  const std::string name = torrent().name;
  SwarmIntegrity& judge = swarm_->judge();
  if (!plan_.selects) return judge.OnFinished(host.name(), host.files().Look(name).value_or(PagedBytes()));
  judge.OnSelectionFinished(host.name(), host.files().Placed(name), ever_selected_, selected_,
                            host.files().Look(name + ".part").value_or(PagedBytes()));
}

// In each life the same files as in the last, or others. To have finished counts for those that are selected.
void ClientAdaptor::DrawSelection(ClientHost& host) {
  if (!selections_) selections_.emplace(host.world().Stream("selections", host.index()));
  if (!selected_.empty() && selections_->Chance(1, 2)) return;
  const size_t files = torrent().tree.files().size();
  absl::btree_set<size_t> drawn = {selections_->Below(files)};
  for (size_t i = 0; i < files; ++i) {
    if (selections_->Chance(1, 3)) drawn.insert(i);
  }
  if (drawn != selected_) finished_ = false;
  selected_ = std::move(drawn);
  ever_selected_.insert(selected_.begin(), selected_.end());
}

std::vector<std::string> ClientAdaptor::Patterns() const {
  const FileTree& tree = swarm_->judge().metainfo().tree;
  if (selected_.size() == tree.files().size()) return {"**"};
  std::vector<std::string> patterns;
  for (const size_t file : selected_) patterns.push_back(tree.files()[file].Path());
  return patterns;
}

uint64_t ClientAdaptor::bytes_needed() const {
  const Metainfo& metainfo = swarm_->judge().metainfo();
  if (!plan_.downloads) return 0;
  if (!plan_.selects) return metainfo.length;
  uint64_t bytes = 0;
  for (const size_t file : selected_) bytes += metainfo.tree.files()[file].length;
  return bytes;
}

void ClientAdaptor::Begins(ClientHost& host, const Input<swarm::Protocol>& input) {
  if (!conduct_ || host.machine()->stopped()) return;
  std::visit(
      [&](const auto& event) {
        if constexpr (requires { conduct_->OnInput(event); }) conduct_->OnInput(event);
        if constexpr (requires { event.message; })
          answered_ |= std::holds_alternative<tracker_api::Answer>(event.message);
      },
      input);
}

void ClientAdaptor::AfterStep(ClientHost& host) {
  if (conduct_) {
    const swarm::Client& client = *host.machine();
    const swarm::Selection* selection = client.selection();
    conduct_->OnStep(client.verified(), selection != nullptr ? selection->unselected() : PieceMap(),
                     client.phase() == "downloading");
  }
  if (stops_since_ == Instant::Never() && host.machine()->phase() == "stopping") {
    stops_since_ = host.now();
  }
  // Clients of version 1 would find each piece wrong, and ban whoever gave it to them.
  if (plan_.contradicts && !host.machine()->verified().none())
    host.world().Fail("torrents: " + host.name() + " offers a piece that is not its torrent's by SHA-1");
  CheckSaid(host);
  CheckEdits(host);
  CheckRates(host);
  if (conduct_) CheckProgress(host);
  CheckIdle(host);
}

// A disk that could not write has its error said, and the client ends: what it would do on is not to be
// trusted.
void ClientAdaptor::CheckSaid(ClientHost& host) {
  if (failed_ || stops_since_ != Instant::Never() || !plan_.honest) return;
  const Instant since = host.files().write_failed();
  if (since == Instant::Never() || host.world().now() - since < kSaidWithin) return;
  host.world().Fail(absl::StrFormat("errors: a write of %s failed %d s ago, and it goes on and says nothing",
                                    host.name(), kSaidWithin.seconds()));
}

// A client that has stopped before its patience was over has taken its claim back.
void ClientAdaptor::CheckLeft(ClientHost& host) {
  const Duration took = host.now() - std::min(stops_since_, host.now());
  if (!offered_ || took * 2 >= host.machine()->config().timing.withdraw_limit) return;
  if (!swarm_->Claimed(plan_.address).has_value()) return;
  host.world().Fail(
      absl::StrFormat("claims: %s has stopped in good time, and the tracker still lists it", host.name()));
}

void ClientAdaptor::FileCut(ClientHost& host, uint32_t first) {
  const Metainfo metainfo = torrent();
  cut_from_ = std::min(cut_from_, first);
  for (uint32_t piece = first; piece < metainfo.piece_count(); ++piece) {
    swarm_->judge().OnDamaged(host.name(), piece);
  }
  host.files().Cut(metainfo.name, uint64_t{first} * metainfo.piece_length);
}

void ClientAdaptor::FileEdited(ClientHost& host, uint32_t piece, uint64_t offset_in_piece) {
  const Metainfo metainfo = torrent();
  const uint64_t offset =
      uint64_t{piece} * metainfo.piece_length + offset_in_piece % metainfo.piece_size(piece);
  host.world().Count(Fault::kEditedFile);
  swarm_->judge().OnDamaged(host.name(), piece);
  swarm_->judge().OnAltered(host.name(), plan_.address, offset);
  host.files().Edit(metainfo.name, offset);
  edits_.push_back(offset);
}

void ClientAdaptor::FilePutBack(ClientHost& host) {
  for (const uint64_t offset : edits_) host.files().Edit(torrent().name, offset);
  put_back_ |= !edits_.empty();
  edits_.clear();
  told_.clear();
}

void ClientAdaptor::FileLookedAt(ClientHost& host) {
  const Metainfo metainfo = torrent();
  const bool at_once = host.alive() && !host.waits() && host.machine()->phase() == "offering";
  host.Enter(FileCompleted<swarm::Protocol>{
      swarm::FileChanged{swarm::kContentFile, 0, metainfo.end_offset(), absl::OkStatus()}});
  if (!at_once || !host.alive()) return;
  swarm_->judge().OnNoticed(host.name());
  told_ = edits_;
  CheckEdits(host);
}

// What it has been told of is not had until it is right again, whatever was being hashed meanwhile.
void ClientAdaptor::CheckEdits(ClientHost& host) {
  if (told_.empty()) return;
  const Metainfo metainfo = torrent();
  const PagedBytes held = host.files().Look(metainfo.name).value_or(PagedBytes());
  const auto piece_of = [&](uint64_t offset) {
    return PieceIndex(static_cast<uint32_t>(offset / metainfo.piece_length));
  };
  // What it has not been told of may have come after a hash that was right: writing twice restores.
  const auto untold = edits_.begin() + static_cast<std::ptrdiff_t>(told_.size());
  for (const uint64_t offset : told_) {
    const PieceIndex piece = piece_of(offset);
    if (!host.machine()->verified().Has(piece) || piece.value() >= cut_from_) continue;
    if (std::any_of(untold, edits_.end(), [&](uint64_t other) { return piece_of(other) == piece; })) continue;
    const uint64_t begin = uint64_t{piece.value()} * metainfo.piece_length;
    const uint32_t size = metainfo.piece_size(piece.value());
    if (held.Holds(begin, swarm_->judge().content().Sub(begin, size))) continue;  // written to twice
    host.world().Fail(
        absl::StrFormat("edits: %s has been told that its file was changed, and takes piece %d for verified",
                        host.name(), piece.value()));
  }
}

std::string ClientAdaptor::NotOfferedAgain(const ClientHost& host) const {
  if (!put_back_ || unread_ || edited() || cut_from_ != UINT32_MAX || !plan_.damaged.empty() ||
      host.machine() == nullptr || host.machine()->phase() != "offering" ||
      host.machine()->verified().all()) {
    return {};
  }
  return absl::StrFormat("%s has its file back and offers %d pieces of it", host.name(),
                         host.machine()->verified().count());
}

void ClientAdaptor::Serves(ClientHost& host, const LinkSendFile& send, std::string_view bytes) {
  bytes_served_ += bytes.size();
  if (plan_.honest) {
    swarm_->judge().OnServed(host.name(), send.offset, bytes);
  } else if (bytes != swarm_->judge().content().view().substr(send.offset, bytes.size())) {
    host.world().Count(Fault::kWrongBytes);
  }
}

// --- InquiryAdaptor ---

std::unique_ptr<swarm::Inquiry> InquiryAdaptor::Make(InquiryHost& host) {
  (void)host;
  const Metainfo torrent = other_name_ ? swarm_->under_other_name() : swarm_->judge().metainfo();
  return std::make_unique<swarm::Inquiry>(swarm_->cluster().size(), tracker_api::Register{{}, torrent},
                                          Seconds(600));
}

void InquiryAdaptor::Transmit(InquiryHost& host, NodeId to, const Slice& message) {
  host.network().Send(host.index(), to.value(), message);
}

void InquiryAdaptor::Deliver(InquiryHost& host, uint32_t from, const Slice& bytes) {
  host.Receive(NodeId(from), bytes);
}

void InquiryAdaptor::Note(InquiryHost& host, const swarm::Protocol::Note& note) {
  const auto* done = std::get_if<swarm::InquiryDone>(&note);
  if (done == nullptr) return;
  const auto outcome = done->response.outcome;
  if (outcome != tracker_api::Outcome::kCreated && outcome != tracker_api::Outcome::kOk) {
    return host.world().Fail("answers: the only registration was told " + TraceText(done->response));
  }
  registered_ = true;
  if (!other_name_) swarm_->FirstNameRegistered();
}

}  // namespace bt::sim
