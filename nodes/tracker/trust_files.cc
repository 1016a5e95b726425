#include "nodes/tracker/trust_files.h"

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>

#include <string>

#include "nodes/http_api/claim_address.h"
#include "nodes/shared/text.h"

namespace bt::nodes {

std::string TrustFiles::UrlOf(const Address& clients) const {
  return absl::StrCat(certificate_.given() ? "https://" : "http://", clients.ToString());
}

absl::Status TrustFiles::Read() {
  for (TokenFile* file : {&tokens_, &announce_keys_}) {
    if (const absl::Status status = file->Read(); !status.ok()) return status;
  }
  return certificate_.Read();
}

void TrustFiles::Tell(const OperatorLog& log, const Address& clients) const {
  tokens_.Tell(log);
  announce_keys_.Tell(log);
  if (IsLoopbackAddress(clients)) return;
  if (!tokens_.given()) {
    log.Warning(absl::StrCat("anybody who reaches ", clients.ToString(),
                             " may register names for ever, and offer: --tokens FILE says who may"));
  } else if (!certificate_.given()) {
    log.Warning(absl::StrCat("tokens come to ", clients.ToString(),
                             " as they are, for whoever reads packets: --tls-certificate encrypts them"));
  }
}

void TrustFiles::Reload(const OperatorLog& log) {
  const auto failed = [&log](const absl::Status& status) {
    if (!status.ok()) log.Error(absl::StrCat(Message(status), "; what was read before stays in force"));
    return !status.ok();
  };
  for (TokenFile* file : {&tokens_, &announce_keys_}) {
    if (!failed(file->Read())) file->Tell(log);
  }
  if (!failed(certificate_.Read()) && certificate_.given())
    log.Info("new connections see the certificate anew");
  if (!replica_tls_ || replica_tls_mode_ == net::ReplicaTlsMode::kOff) return;
  replica_tls_->Renew();
  TellRenewed(log);
}

const net::ReplicaTls* TrustFiles::BeginReplicaTls(const ClusterSecret& secret, NodeId self) {
  replica_tls_.emplace(replica_tls_mode_, secret, ClusterId(secret), self);
  return &*replica_tls_;
}

void TrustFiles::RenewWhenDue(const OperatorLog& log) {
  if (replica_tls_ && replica_tls_->RenewWhenDue()) TellRenewed(log);
}

void TrustFiles::TellRenewed(const OperatorLog& log) const {
  log.Info(absl::StrCat(
      "new links with other nodes show a certificate that is good until ",
      absl::FormatTime(absl::RFC3339_sec, absl::FromUnixSeconds(replica_tls_->ends()), absl::UTCTimeZone())));
}

}  // namespace bt::nodes
