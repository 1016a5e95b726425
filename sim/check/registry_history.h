#pragma once

// RegistryHistory: every registration and fetch of the workload's clients with its times and answers, and the
// judges over it: uniqueness of registrations at once; at the end of a run linearizability per name. What was
// acknowledged is kept for whoever looks at it after healing.
// Contents are known here by number, from 1; 0 is none.

#include <absl/container/btree_map.h>
#include <absl/container/btree_set.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "sim/check/linearizability.h"
#include "sim/world.h"

namespace bt::sim {

using ContentNumber = uint32_t;

// One name of the registry: bound to nothing, or to one content for ever.
struct NameSpec {
  using State = ContentNumber;
  // kFull: refused for want of room, so it bound nothing; and so it must have been a new binding. kBound:
  // done, by this registration or before; a repetition outside a session cannot tell.
  enum class Answer : uint8_t { kNone, kCreated, kSameAgain, kConflict, kFound, kFull, kBound };
  struct Op {
    bool registers = false;
    ContentNumber content = 0;  // registered, or found (0: not found)
    Answer answer = Answer::kNone;
  };
  static bool Apply(State& state, const Op& op);
  static bool ChangesNothing(const Op& op);
  static std::string Describe(const Op& op);
  static std::string DescribeState(State state);
};

class RegistryHistory {
 public:
  using OpId = size_t;

  explicit RegistryHistory(World& world) : world_(world) {}

  OpId BeginRegister(uint32_t client, const std::string& name, ContentNumber content);
  OpId BeginFetch(uint32_t client, const std::string& name);
  void EndRegister(OpId op, NameSpec::Answer answer);
  void EndFetch(OpId op, ContentNumber found);
  // An answer from local, possibly old state: it may miss a binding but not invent one.
  void SawBinding(const std::string& name, ContentNumber content, const char* where);

  // Every binding that was acknowledged or seen, for the durability check after healing.
  const absl::btree_map<std::string, ContentNumber>& bindings() const { return bindings_; }
  size_t acknowledged() const { return acknowledged_; }
  size_t size() const { return ops_.size(); }

  // Linearizability of each name's history.
  void Judge();

 private:
  struct Entry {
    std::string name;
    Timed<NameSpec::Op> timed;
  };
  void Bind(const std::string& name, ContentNumber content, const char* where);

  World& world_;
  std::vector<Entry> ops_;
  absl::btree_map<std::string, ContentNumber> bindings_;
  absl::btree_set<std::string> created_;
  size_t acknowledged_ = 0;
};

}  // namespace bt::sim
