#include "sim/faults.h"

#include <algorithm>

#include "core/base/check.h"

namespace bt::sim {

namespace {

struct Kind {
  const char* name;
  const char* sentence;
};

// In the order of Fault.
constexpr std::array<Kind, kFaultCount> kKinds = {{
    {"drop", "a message is lost"},
    {"duplicate", "a message is sent twice"},
    {"reorder", "a message is late, others pass it"},
    {"partition", "a partition in both directions"},
    {"one_way_partition", "a partition in one direction"},
    {"slow_link", "a way becomes slow"},
    {"broken_link", "a way loses messages"},
    {"lossy_link", "a link loses two messages in a hundred"},
    {"slow_replies", "whatever one says comes late"},
    {"late_link", "a way is not there from the start"},
    {"lasting_cut", "a link is never mended"},
    {"stream_reset", "a connection is reset"},
    {"connect_refused", "a connection is refused"},
    {"half_open", "an end of a connection vanishes without a word"},
    {"slow_stream", "a connection is slow"},
    {"crash", "crashes"},
    {"crash_while_writing", "crashes while it writes"},
    {"restart", "starts again"},
    {"stall", "stalls"},
    {"permanent_stop", "stops for good"},
    {"begun_from_snapshot", "begins a life from its snapshot"},
    {"took_snapshot", "takes up the snapshot of a peer"},
    {"snapshot_asked", "saves its state because the operator asks it to"},
    {"slow_process", "a process becomes slow"},
    {"closed_links", "ends, and the links to its peers are closed"},
    {"let_in_anew", "a node whose disk was damaged votes again, under another id"},
    {"handed_over", "a leader lets another lead because of its disk"},
    {"refused_for_room", "a leader refuses mutations for want of room on a disk"},
    {"older_release", "a life is one of an older release"},
    {"too_old", "stops, because its release is too old for what is agreed"},
    {"level_raised", "the cluster agrees on a newer format level"},
    {"clock_origin", "a life begins with a clock of another origin"},
    {"clock_drift", "a clock runs at a rate of its own"},
    {"clock_freeze", "a clock stands still in a stall"},
    {"clock_jump", "a clock leaps forward"},
    {"lost_write", "a crash loses an unsynced write"},
    {"torn_write", "a crash tears an unsynced write"},
    {"kept_write", "an unsynced write survives a crash"},
    {"forgotten_entry", "a crash forgets an unsynced change of a directory"},
    {"kept_entry", "an unsynced change of a directory survives a crash"},
    {"kept_page_cache", "the page cache survives a crash"},
    {"crash_while_recovering", "crashes while it recovers"},
    {"slow_disk", "a sync is slow"},
    {"altered_file", "others change a file"},
    {"edited_file", "others write into a file that is offered"},
    {"hung_disk", "a sync hangs"},
    {"gray_disk", "a sync takes seconds, and nobody is told why"},
    {"throttled_disk", "a sync takes as long as the disk is throttled to"},
    {"read_error", "a read fails"},
    {"write_error", "a write fails"},
    {"no_space", "a write finds no room"},
    {"sync_error", "a sync fails"},
    {"stale_read", "a read gives what was there before"},
    {"bit_rot", "a byte at rest changes"},
    {"misdirected_write", "a write has gone astray"},
    {"lost_entry", "the name of a durable file is gone"},
    {"lost_directory", "a directory is gone"},
    {"swapped_files", "two files have changed places"},
    {"older_file", "a file is an older version of itself"},
    {"truncated_file", "a file has lost its end"},
    {"disk_low", "a disk has less room than its reserve"},
    {"paused_reading", "reads nothing until its disk has caught up"},
    {"wrong_bytes", "a liar serves wrong bytes"},
    {"lying_bitfield", "a liar claims pieces it has not"},
    {"serves_nothing", "a liar does not answer"},
    {"wrong_length", "a liar serves a wrong length"},
    {"garbage_frames", "a liar sends garbage"},
    {"slow_drip", "a liar serves drop by drop"},
    {"false_claim", "a liar claims pieces to the tracker"},
    {"mute_peer", "a liar never says a word"},
    {"bad_handshake", "a liar shakes hands with garbage"},
    {"oversized_frame", "a liar sends a frame that is too long"},
    {"unasked_block", "a liar sends what nobody asked for"},
    {"false_words", "a liar gives a wrong info dictionary, wrong hashes or addresses of nobody"},
}};
static_assert(kKinds.back().sentence != nullptr, "a kind of fault has no name or no sentence");

const Kind& KindOf(Fault fault) {
  CHECK_MSG(fault < Fault::kCount, "not a fault");
  return kKinds[static_cast<size_t>(fault)];
}

}  // namespace

const char* FaultName(Fault fault) { return KindOf(fault).name; }

const char* FaultSentence(Fault fault) { return KindOf(fault).sentence; }

bool IsConsequence(Fault fault) {
  return fault == Fault::kRestart || fault == Fault::kKeptWrite || fault == Fault::kKeptEntry ||
         fault == Fault::kKeptPageCache || fault == Fault::kBegunFromSnapshot ||
         fault == Fault::kTookSnapshot || fault == Fault::kSnapshotAsked || fault == Fault::kLetInAnew ||
         fault == Fault::kHandedOver || fault == Fault::kRefusedForRoom || fault == Fault::kTooOld ||
         fault == Fault::kLevelRaised || fault == Fault::kPausedReading;
}

std::optional<FaultCounts> FaultCounts::FromPlain(const Plain& plain) {
  if (plain.size() != kFaultCount) return std::nullopt;
  FaultCounts counts;
  std::copy(plain.begin(), plain.end(), counts.counts_.begin());
  return counts;
}

std::string FaultCounts::ToString() const {
  std::string text;
  for (size_t i = 0; i < kFaultCount; ++i) {
    if (counts_[i] == 0) continue;
    if (!text.empty()) text += ' ';
    text += FaultName(static_cast<Fault>(i));
    text += '=';
    text += std::to_string(counts_[i]);
  }
  return text.empty() ? "none" : text;
}

}  // namespace bt::sim
