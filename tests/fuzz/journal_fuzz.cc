// Segments of a journal: bytes as they come, and a journal with damage in one place. Whatever is damaged, no
// record comes back that was not written.

#include <string>
#include <vector>

#include "core/base/check.h"
#include "core/wal/format.h"
#include "core/wal/scan.h"
#include "tests/fuzz/input.h"

namespace wal = bt::wal;

namespace {

const wal::Identity kMine{0xc105, bt::NodeId(7)};
constexpr uint8_t kGranuleBits =
    10;  // segments of 1 KiB and more: with those of 1 MiB three inputs a second were tried

void ScanRaw(bt::fuzz::Input& input) {
  std::vector<bt::Slice> segments;
  while (!input.empty() && segments.size() < 4) segments.push_back(bt::Slice::Copy(input.Piece()));
  const wal::ScanResult found = wal::Scan(segments, kMine);
  CHECK(found.verdict == wal::Verdict::kClean || !found.why.empty());
}

void ScanDamaged(bt::fuzz::Input& input) {
  const size_t place = input.Number();
  const char damage = static_cast<char>(input.Byte());
  std::string segment = wal::EncodeSegmentHeader(kMine, bt::WriteSeq(1), bt::WriteSeq(1), kGranuleBits);
  std::vector<std::string> bodies;
  while (!input.empty() && bodies.size() < 64) {
    bodies.emplace_back(input.Take(input.Byte()));
    const bt::WriteSeq seq(bodies.size());
    wal::AppendRecord(segment, kMine, seq, bt::WriteSeq(seq.value() / 2), 1, bodies.back());
  }
  segment.resize(wal::SegmentLength(segment.size(), kGranuleBits));
  segment[place % segment.size()] = static_cast<char>(segment[place % segment.size()] ^ damage);
  const wal::ScanResult found = wal::Scan(std::vector{bt::Slice::Copy(segment)}, kMine);
  CHECK(found.records.size() <= bodies.size());
  for (size_t i = 0; i < found.records.size(); ++i) {
    CHECK(found.records[i].seq.value() == i + 1 && found.records[i].body.view() == bodies[i]);
  }
  if (damage == 0) CHECK(found.verdict == wal::Verdict::kClean && found.records.size() == bodies.size());
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  bt::fuzz::Input input(data, size);
  if ((input.Byte() & 1) == 0) {
    ScanRaw(input);
  } else {
    ScanDamaged(input);
  }
  return 0;
}
