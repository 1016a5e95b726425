#include "nodes/tracker/walcat.h"

#include <absl/status/statusor.h>
#include <absl/strings/str_cat.h>

#include <cstdint>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "core/base/fields.h"
#include "core/base/slice.h"
#include "core/paxos/journal.h"
#include "core/wal/scan.h"
#include "nodes/shared/files.h"
#include "nodes/shared/text.h"
#include "nodes/tracker/node_state.h"

namespace bt::nodes {
namespace {

struct Segment {
  std::string name;
  WriteSeq first;  // as the name says
  Slice bytes;
};

absl::StatusOr<std::vector<Segment>> ReadSegments(const std::string& directory) {
  const absl::StatusOr<std::vector<std::string>> names = JournalFiles(directory);
  if (!names.ok()) return names.status();
  std::vector<Segment> segments;
  for (const std::string& name : *names) {
    const absl::StatusOr<InputFile> file = InputFile::Open(absl::StrCat(directory, "/", name));
    if (!file.ok()) return file.status();
    absl::StatusOr<std::string> bytes = file->ReadAll(SIZE_MAX, "a segment of a journal");
    if (!bytes.ok()) return bytes.status();
    segments.push_back({name, *wal::ParseSegmentFileName(name), Slice::Own(*std::move(bytes))});
  }
  return segments;
}

template <class Record>
std::string Text(const JournalRecord& record) {
  const absl::StatusOr<Record> decoded = Decode<Record>(record.body);
  return decoded.ok() ? TraceText(*decoded)
                      : absl::StrCat("unreadable: ", std::string(decoded.status().message()));
}

std::string RecordText(const JournalRecord& record) {
  switch (static_cast<paxos::RecordType>(record.type)) {
    case paxos::RecordType::kPromised:
      return absl::StrCat("promised ", Text<paxos::PromisedRecord>(record));
    case paxos::RecordType::kAccepted:
      return absl::StrCat("accepted ", Text<paxos::AcceptedRecord>(record));
    case paxos::RecordType::kLearned:
      return absl::StrCat("learned ", Text<paxos::LearnedRecord>(record));
    case paxos::RecordType::kChosen:
      return absl::StrCat("chosen ", Text<paxos::ChosenRecord>(record));
    case paxos::RecordType::kSnapshotPart:
      return absl::StrCat("snapshot part ", Text<paxos::SnapshotPartRecord>(record));
  }
  return absl::StrCat("of unknown type ", record.type);
}

const char* VerdictText(wal::Verdict verdict) {
  switch (verdict) {
    case wal::Verdict::kClean:
      return "whole";
    case wal::Verdict::kTorn:
      return "whole, and behind its last record an interrupted write, which the next start cuts off";
    case wal::Verdict::kCorrupt:
      return "damaged";
    case wal::Verdict::kForeign:
      return "not this node's, or of another version";
  }
  return "";
}

int Print(const NodeState& state, const std::vector<Segment>& segments) {
  std::vector<Slice> bytes;
  std::vector<WriteSeq> names;
  for (const Segment& segment : segments) {
    bytes.push_back(segment.bytes);
    names.push_back(segment.first);
  }
  const wal::ScanResult scan = wal::Scan(bytes, state.journal_identity(), names);
  std::printf("journal of node %u of cluster %s\n", state.node.value(), ClusterIdText(state.secret).c_str());
  auto record = scan.records.begin();
  for (size_t i = 0; i < segments.size(); ++i) {
    std::printf("%s: %zu bytes, from record %llu on\n", segments[i].name.c_str(), segments[i].bytes.size(),
                static_cast<unsigned long long>(segments[i].first.value()));
    const WriteSeq next = i + 1 < segments.size() ? segments[i + 1].first : WriteSeq::Max();
    for (; record != scan.records.end() && record->seq < next; ++record) {
      std::printf("  %llu %s (%zu bytes)\n", static_cast<unsigned long long>(record->seq.value()),
                  RecordText(*record).c_str(), record->body.size());
    }
  }
  std::printf("%zu records up to %llu, needed from %llu on: %s%s%s\n", scan.records.size(),
              static_cast<unsigned long long>(scan.last.value()),
              static_cast<unsigned long long>(scan.needed.value()),
              segments.empty() ? "no journal at all" : VerdictText(scan.verdict),
              scan.why.empty() ? "" : ": ", scan.why.c_str());
  const bool good = scan.verdict == wal::Verdict::kClean || scan.verdict == wal::Verdict::kTorn;
  return good && !segments.empty() ? 0 : 1;
}

int Refuse(const absl::Status& status) {
  std::fprintf(stderr, "bytetorrent-tracker: %s\n", Message(status).c_str());
  return 1;
}

}  // namespace

int Walcat(const std::string& directory) {
  const absl::StatusOr<NodeState> state = ReadNodeState(directory);
  if (!state.ok()) return Refuse(state.status());
  const absl::StatusOr<std::vector<Segment>> segments = ReadSegments(directory);
  if (!segments.ok()) return Refuse(segments.status());
  return Print(*state, *segments);
}

}  // namespace bt::nodes
