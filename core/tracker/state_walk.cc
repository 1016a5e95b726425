#include "core/tracker/state_walk.h"

namespace bt::tracker {

namespace {

void Put(StateItem item, Encoder& out) { out.Put(item); }

}  // namespace

StateWalk::StateWalk(RegistryState& registry, SessionsState& sessions, uint64_t commands, uint64_t digest)
    : head_{.format = StateFormatOf(registry.level),
            .limits_version = registry.limits_version,
            .limits = registry.limits,
            .log_time = registry.log_time,
            .bindings = registry.bindings,
            .session_time = sessions.log_time,
            .commands = commands,
            .digest = digest},
      level_(registry.level),
      torrents_(registry.torrents.size()) {
  for (Torrent& torrent : registry.torrents) torrent.claims.Freeze();
  sessions.sessions.Freeze();
}

void StateWalk::Abandon(RegistryState& registry, SessionsState& sessions) {
  for (Torrent& torrent : registry.torrents) torrent.claims.LetGo();
  sessions.sessions.LetGo();
}

std::string StateWalk::Next(size_t bytes, RegistryState& registry, SessionsState& sessions) {
  std::string out;
  Encoder encoder(out);
  while (!done() && out.size() < bytes) {
    switch (part_) {
      case Part::kHead:
        Put(head_, encoder);
        part_ = level_ > kFirstLevel ? Part::kLevel : Part::kTorrents;
        break;
      case Part::kLevel:
        Put(LevelItem{level_}, encoder);
        part_ = Part::kTorrents;
        break;
      case Part::kTorrents:
        PutTorrentOrClaim(registry, encoder);
        break;
      case Part::kNames:
        PutName(registry, encoder);
        break;
      case Part::kInfoHashes:
        PutInfoHash(registry, encoder);
        break;
      case Part::kSessions:
        PutSession(sessions, encoder);
        break;
      case Part::kDone:
        break;
    }
  }
  return out;
}

void StateWalk::PutTorrentOrClaim(RegistryState& registry, Encoder& out) {
  if (torrent_ == torrents_) {
    part_ = Part::kNames;
    return;
  }
  Torrent& torrent = registry.torrents[torrent_];
  if (!in_claims_) {
    Put(TorrentItem{torrent.number, torrent.since, torrent.metainfo}, out);
    const FileTree& tree = torrent.metainfo.tree;
    if (!tree.empty()) Put(TreeItem{tree}, out);
    in_claims_ = true;
  } else if (row_ < torrent.claims.frozen_size()) {
    Put(ClaimItem{torrent.claims.frozen_at(row_)}, out);
    torrent.claims.LetGo(++row_);
  } else {
    torrent.claims.LetGo();
    ++torrent_;
    in_claims_ = false;
    row_ = 0;
  }
}

void StateWalk::PutName(const RegistryState& registry, Encoder& out) {
  const auto at = name_ ? registry.names.upper_bound(*name_) : registry.names.begin();
  if (at == registry.names.end()) {
    part_ = Part::kInfoHashes;
    return;
  }
  name_ = at->first;
  if (at->second.binding < head_.bindings)
    Put(NameItem{at->first, at->second.torrent, at->second.binding, at->second.source}, out);
}

void StateWalk::PutInfoHash(const RegistryState& registry, Encoder& out) {
  const auto at = info_hash_ ? registry.info_hashes.upper_bound(*info_hash_) : registry.info_hashes.begin();
  if (at == registry.info_hashes.end()) {
    part_ = Part::kSessions;
    return;
  }
  info_hash_ = at->first;
  if (at->second.binding < head_.bindings) Put(InfoHashItem{at->first, at->second}, out);
}

void StateWalk::PutSession(SessionsState& state, Encoder& out) {
  if (row_ < state.sessions.frozen_size()) {
    Put(state.sessions.frozen_at(row_), out);
    state.sessions.LetGo(++row_);
  } else {
    state.sessions.LetGo();
    part_ = Part::kDone;
  }
}

}  // namespace bt::tracker
