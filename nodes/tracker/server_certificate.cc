#include "nodes/tracker/server_certificate.h"

#include "net/http/codec.h"
#include "nodes/http_api/form.h"
#include "nodes/http_api/json_api.h"

namespace bt::nodes {
namespace {

// In the cluster's own form, so that its clients show the sentence to their users.
std::string PlainAnswer() {
  std::string answer;
  net::WriteHttpResponse(ApiResponse(400, WriteError("this port takes TLS alone: write https://")),
                         /*http_1_0=*/false, /*keep_alive=*/false, /*head_only=*/false, answer);
  return answer;
}

}  // namespace

absl::Status ServerCertificate::Read() {
  if (!given()) return absl::OkStatus();
  absl::StatusOr<net::TlsContext> context = net::TlsContext::ForServer(certificate_, key_, PlainAnswer());
  if (!context.ok()) return context.status();
  context_ = *std::move(context);
  return absl::OkStatus();
}

net::MakeFilter ServerCertificate::make_filter() const {
  if (!given()) return {};
  return [this](net::FilterSide, const Address&) { return context_->Accept(); };
}

}  // namespace bt::nodes
