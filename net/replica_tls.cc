#include "net/replica_tls.h"

#include <absl/status/status.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

namespace bt::net {
namespace {

constexpr int64_t kRenewedAfterSeconds = int64_t{30} * 24 * 3600;
// RFC 8446, 5.1: the first record of who dials is of this type.
constexpr char kHandshakeRecord = 22;

// TLS, or nothing when the peer's first byte says so.
class EitherFilter final : public Filter {
 public:
  explicit EitherFilter(std::unique_ptr<Filter> tls) : tls_(std::move(tls)) {}

  bool established() const override { return in_clear() || tls_->established(); }
  absl::Status PutEncoded(std::string_view encoded) override {
    if (!std::exchange(begun_, true) && encoded.front() != kHandshakeRecord) tls_.reset();
    if (!in_clear()) return tls_->PutEncoded(encoded);
    received_ += encoded;
    return absl::OkStatus();
  }
  size_t TakePlain(char* room, size_t size) override {
    if (!in_clear()) return tls_->TakePlain(room, size);
    const size_t taken = std::min(size, received_.size());
    std::memcpy(room, received_.data(), taken);
    received_.erase(0, taken);
    return taken;
  }
  bool has_plain() const override { return in_clear() ? !received_.empty() : tls_->has_plain(); }
  bool ended() const override { return !in_clear() && tls_->ended(); }
  absl::Status PutPlain(std::string_view plain) override {
    if (!in_clear()) return tls_->PutPlain(plain);
    to_send_ += plain;
    return absl::OkStatus();
  }
  void End() override {
    if (!in_clear()) tls_->End();
  }
  void TakeEncoded(std::string& encoded) override {
    if (!in_clear()) return tls_->TakeEncoded(encoded);
    encoded += std::exchange(to_send_, {});
  }
  std::string Binding() const override { return in_clear() ? std::string() : tls_->Binding(); }
  bool PeerIsCalled(const std::string& name) const override {
    return !in_clear() && tls_->PeerIsCalled(name);
  }

 private:
  bool in_clear() const { return tls_ == nullptr; }

  std::unique_ptr<Filter> tls_;
  bool begun_ = false;
  std::string received_;  // at most kChunkBytes, as each PutEncoded brings
  std::string to_send_;   // at most kChunkBytes, as each PutPlain brings
};

}  // namespace

int64_t ReplicaTls::SystemSeconds() { return std::time(nullptr); }

ReplicaTls::ReplicaTls(ReplicaTlsMode mode, const ReplicaSecret& secret, uint64_t cluster, NodeId self,
                       WallClock clock)
    : mode_(mode), secret_(secret), cluster_(cluster), self_(self), clock_(std::move(clock)) {
  if (mode_ != ReplicaTlsMode::kOff) Renew();
}

void ReplicaTls::Renew() {
  const ReplicaCertificate drawn = DrawReplicaCertificate(secret_, cluster_, self_, clock_());
  context_ = std::make_unique<TlsContext>(TlsContext::ForEquals(drawn.credentials));
  ends_ = drawn.ends;
}

bool ReplicaTls::RenewWhenDue() {
  const int64_t left = ends_ - clock_();
  const bool due =
      left > kReplicaCertificateSeconds || left < kReplicaCertificateSeconds - kRenewedAfterSeconds;
  if (mode_ == ReplicaTlsMode::kOff || !due) return false;
  Renew();
  return true;
}

std::unique_ptr<Filter> ReplicaTls::Accept() const {
  if (mode_ == ReplicaTlsMode::kOff) return nullptr;
  std::unique_ptr<Filter> tls = context_->Accept();
  if (mode_ == ReplicaTlsMode::kRequired) return tls;
  return std::make_unique<EitherFilter>(std::move(tls));
}

std::unique_ptr<Filter> ReplicaTls::Dial(bool in_clear) const {
  if (mode_ == ReplicaTlsMode::kOff || (in_clear && mode_ == ReplicaTlsMode::kOffered)) return nullptr;
  return context_->ConnectToEqual();
}

// A peer that does not know TLS ends a connection on which it is spoken to in TLS, and one that wants TLS
// ends one on which it is not.
bool ReplicaTls::InClearAfter(bool in_clear, const Connection& failed) const {
  return mode_ == ReplicaTlsMode::kOffered && !in_clear && failed.broken_off();
}

bool ReplicaTls::MayBe(NodeId node, const Connection& connection) const {
  if (connection.binding().empty()) return mode_ != ReplicaTlsMode::kRequired;
  return connection.PeerIsCalled(ReplicaNodeName(cluster_, node));
}

}  // namespace bt::net
