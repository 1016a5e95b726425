#pragma once

// SmallWorld: clients, a scripted tracker and raw peers joined in memory, for tests of the client machine
// alone. Streams are cut at random, files are strings, time jumps to the next event. No faults beyond
// those a test asks for; the simulator (sim/) is where clients meet a hostile world.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/rng.h"
#include "core/swarm/client.h"
#include "core/swarm/wire.h"
#include "tests/support/vector_surroundings.h"

namespace bt::swarm::test {

inline Address Host(uint8_t number) { return Address::V4(10, 0, 0, number, 6881); }

class SmallWorld {
 public:
  using Protocol = swarm::Protocol;
  using ClientRunner = Runner<Client, VectorSurroundings<Protocol>>;

  struct Node {
    Node(const Instant& clock, Rng rng) : effects(clock, rng) {}

    VectorSurroundings<Protocol> effects;
    std::unique_ptr<ClientRunner> runner;
    Address address;
    std::string file;              // the content as it lies on this node's disk
    bool existing = false;         // a download's file is there already
    Slice resume;                  // the last checkpoint
    std::vector<PartFound> found;  // where a download finds the files of a tree
    bool finished = false;
    bool mute = false;                  // never serves a block
    absl::Status store_status;          // what StoreBlock answers
    absl::Status hash_status;           // ... and HashRange
    std::vector<Protocol::Note> notes;  // of this life
    std::vector<uint64_t> served;       // offsets of blocks it sent

    template <class N>
    std::vector<N> All() const {
      std::vector<N> found;
      for (const auto& note : notes) {
        if (const auto* match = std::get_if<N>(&note)) found.push_back(*match);
      }
      return found;
    }
  };

  // A peer that is not a client: the test writes its bytes and reads what it is sent.
  struct RawPeer {
    Address address;
    std::string received;
    bool up = false;
    bool closed = false;
    std::function<void(SmallWorld&, RawPeer&)> on_bytes;
    LinkId link;      // at the other end
    size_t node = 0;  // the other end
  };

  explicit SmallWorld(uint64_t seed) : rng_(seed) {}

  // Adds a client whose file is `file`; it starts when Run is next called.
  size_t Add(Config config, std::string file);
  // Replaces the client by a new one on the same disk, as after a crash.
  void Restart(size_t node, Config config);
  RawPeer& AddRaw(const Address& address);
  // The raw peer dials a client.
  void RawConnect(RawPeer& raw, size_t node);
  void RawSend(RawPeer& raw, std::string bytes);
  void RawClose(RawPeer& raw);

  // Until `done` or `limit` of simulated time has passed or nothing is left to happen; whether done.
  bool RunUntil(const std::function<bool()>& done, Duration limit = Seconds(120));
  void RunFor(Duration duration) {
    RunUntil([] { return false; }, duration);
  }
  void Ask(size_t node, Protocol::Request request);

  Node& node(size_t index) { return *nodes_[index]; }
  Client& client(size_t index) { return nodes_[index]->runner->machine(); }
  Instant now() const { return now_; }
  bool Completed(size_t index) const { return !nodes_[index]->All<DownloadComplete>().empty(); }
  bool Banned(size_t index, size_t other) const {
    return nodes_[index]->runner->machine().IsBanned(nodes_[other]->address);
  }

  // The scripted tracker: what each of its nodes answers.
  enum class TrackerMode { kUp, kSilent, kRefusing, kUnavailable };
  std::map<uint32_t, TrackerMode> tracker_mode;
  std::map<Address, PieceMap> claims;
  PieceMap Claimed(const Address& peer) const;
  std::optional<Metainfo> registered;
  std::vector<InfoHash> told_info_hashes;                        // with each lookup
  std::vector<std::pair<uint32_t, tracker_api::Request>> asked;  // in order: which node, what

  // The scripted web servers, by their numbers, and what they were asked for. `web_content`: as a client's
  // file has it.
  enum class WebMode { kUp, kWrong, kShort, kFailing, kSilent };
  std::map<uint32_t, WebMode> web_mode;
  std::string web_content;
  std::vector<std::pair<uint32_t, FetchRange>> fetched;

  std::vector<Protocol::Response> replies;

 private:
  struct End {
    bool raw = false;
    size_t node = 0;  // or index of raw peer
    LinkId link;
  };
  struct Stream {
    End ends[2];
    bool open = true;
    uint64_t total[2] = {0, 0};  // sent by end i
  };

  void Step(size_t node, Input<Protocol> input);
  // Runs the client as `action` says and starts what it did on its way.
  void Run(size_t node, const std::function<void(ClientRunner&)>& action);
  void DoLink(size_t node, LinkEffect effect);
  void DoFile(size_t node, FileEffect effect);
  void DoAsk(size_t node, NodeId to, const tracker_api::Ask& ask);
  void DoFetch(size_t node, NodeId to, const FetchRange& fetch);
  tracker_api::Response Answer(const tracker_api::Request& request);
  void Transmit(size_t stream, int from, std::string bytes);
  void CloseStream(size_t stream, int from);
  void Later(Duration delay, std::function<void()> action);
  std::pair<size_t, int> FindStream(size_t node, LinkId link) const;

  Rng rng_;
  Instant now_{Seconds(1000).ns};
  uint64_t sequence_ = 0;
  uint64_t next_inbound_ = 1;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> events_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<RawPeer>> raws_;
  std::vector<Stream> streams_;
  std::map<std::pair<size_t, uint64_t>, size_t> stream_of_;  // (node, link)
  std::vector<size_t> to_start_;
};

}  // namespace bt::swarm::test
