#pragma once

// RegistryOperation: what a registry client asks for, and what it knows about the answer beforehand. The
// whole alphabet of a tracker's requests is drawn here, well-formed and malformed; RegistryClient sends them
// and judges the answers.

#include <cstdint>
#include <optional>
#include <string>

#include "core/torrent/metainfo.h"
#include "core/tracker_api/tracker_api.h"
#include "sim/check/claims.h"
#include "sim/check/registry_history.h"

namespace bt::sim {

// Contents the clients register and claim; made once per process. Numbers from 1.
const Metainfo& TestContent(ContentNumber number);
inline constexpr ContentNumber kTestContents = 6;
// The number of a content, 0 when it is none of these.
ContentNumber NumberOf(const ContentId& content);
// An info-hash of a content under the name kHashedName.
const InfoHash& TestInfoHash(ContentNumber number);
inline constexpr const char* kHashedName = "name-0";

struct RegistryOperation {
  enum class What : uint8_t {
    kRegister,
    kFetch,
    kOffer,
    kWithdraw,
    kLookup,
    kAnnounce,
    kScrape,
    kList,
    kStatus,
    kRepeat,  // a mutation that was answered, under its id, again
  };
  What what = What::kStatus;
  std::string name;
  ContentNumber content = 0;
  bool linearizable = true;
  bool verifies = false;      // what was acknowledged is looked at after healing
  bool malformed = false;     // has to be refused, and to change nothing
  bool never_logged = false;  // ... by the node that is asked
  bool contradicts = false;   // a registration with other hashes than the content's, which is registered
  std::optional<PieceMap> pieces;
  RegistryHistory::OpId history = 0;
  tracker_api::Request request;
  // Of a repetition: what it was told when it was executed, and whether the session has gone past it.
  tracker_api::Outcome known = tracker_api::Outcome::kOk;
  bool stale = false;

  bool mutates() const { return what <= What::kWithdraw && what != What::kFetch; }
  bool claims() const { return (what == What::kOffer || what == What::kWithdraw) && !malformed; }
  ClaimsJudge::Change change() const { return {what == What::kOffer, pieces}; }
};

// Who draws: its addresses, and the mutation id it would use next.
struct RegistryAsker {
  Address peer;       // of the claims that are judged
  Address announcer;  // of what it announces as an ordinary client would
  tracker_api::MutationId next;
  bool trees = true;  // can be registered: the level that they need is in force
  Address nobody;     // where no peer can be
};

// `names`: how many there are. A session's first mutation has to be a registration (see registry_client.h).
RegistryOperation DrawRegistration(RandomStream& rng, const RegistryHistory& history, uint32_t names,
                                   const RegistryAsker& asker);
RegistryOperation DrawOperation(RandomStream& rng, const RegistryHistory& history, uint32_t names,
                                const RegistryAsker& asker);
// A lookup of the asker's claim, and a fetch of a binding, that must show what was acknowledged.
RegistryOperation ClaimLookup(ContentNumber content);
RegistryOperation BindingFetch(const std::string& name, ContentNumber content);

}  // namespace bt::sim
