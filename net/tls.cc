#include "net/tls.h"

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <string_view>
#include <utility>

#include "core/base/check.h"

namespace bt::net {

struct TlsContext::Shared {
  explicit Shared(const SSL_METHOD* method) : context(SSL_CTX_new(method)) { CHECK(context != nullptr); }
  ~Shared() { SSL_CTX_free(context); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  SSL_CTX* context;
  std::string plain_answer;
  uint64_t records_per_key = kRecordsPerKey;
};

namespace {

constexpr size_t kRecordBytes = 16 * 1024;

// Of the error that OpenSSL noted first.
std::string Reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? std::string("the peer broke it off") : std::string(reason);
}

absl::Status Unusable(std::string_view what, const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat("cannot use ", std::string(what), " ", path, ": ",
                                                    Reason(),
                                                    "; it must be a PEM file that this user can read"));
}

void Harden(SSL_CTX* context) {
  CHECK(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) == 1);
  CHECK(SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  CHECK(SSL_CTX_set_num_tickets(context, 0) == 1);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // A key that wants a pass phrase is an error, not a question on the terminal.
  SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return 0; });
}

class TlsFilter final : public Filter {
 public:
  struct Options {
    FilterSide side = FilterSide::kAccepts;
    std::string expected = {};  // whom a connecting side means, at most 255 bytes; empty: that is asked later
    std::string_view plain_answer = {};  // of an accepting side
    uint64_t records_per_key = 0;
  };
  // `keeps` lives as long.
  TlsFilter(SSL_CTX* context, std::shared_ptr<const void> keeps, Options options)
      : keeps_(std::move(keeps)),
        options_(std::move(options)),
        tls_(SSL_new(context)),
        in_(BIO_new(BIO_s_mem())),
        out_(BIO_new(BIO_s_mem())) {
    CHECK(tls_ != nullptr && in_ != nullptr && out_ != nullptr);
    SSL_set_bio(tls_, in_, out_);
    connects() ? SSL_set_connect_state(tls_) : SSL_set_accept_state(tls_);
    if (!options_.expected.empty()) Expect();
  }
  ~TlsFilter() override { SSL_free(tls_); }
  TlsFilter(const TlsFilter&) = delete;
  TlsFilter& operator=(const TlsFilter&) = delete;

  bool established() const override { return SSL_is_init_finished(tls_) == 1; }

  absl::Status PutEncoded(std::string_view encoded) override {
    ERR_clear_error();
    if (!std::exchange(begun_, true) && SpeaksPlainly(encoded)) return RefusePlain();
    BIO_write(in_, encoded.data(), static_cast<int>(encoded.size()));
    if (!established()) {
      const int result = SSL_do_handshake(tls_);
      if (result <= 0) return result < 0 && WantsMore(result) ? absl::OkStatus() : Failure();
    }
    std::array<char, kRecordBytes> room;
    while (true) {
      const int got = SSL_read(tls_, room.data(), static_cast<int>(room.size()));
      if (got <= 0) return WantsMore(got) || ended() ? absl::OkStatus() : Failure();
      plain_.append(room.data(), static_cast<size_t>(got));
    }
  }
  size_t TakePlain(char* room, size_t size) override {
    const size_t taken = std::min(size, plain_.size());
    std::memcpy(room, plain_.data(), taken);
    plain_.erase(0, taken);
    return taken;
  }
  bool has_plain() const override { return !plain_.empty(); }
  bool ended() const override { return (SSL_get_shutdown(tls_) & SSL_RECEIVED_SHUTDOWN) != 0; }

  absl::Status PutPlain(std::string_view plain) override {
    ERR_clear_error();
    RenewKey(1 + plain.size() / kRecordBytes);
    return SSL_write(tls_, plain.data(), static_cast<int>(plain.size())) > 0 ? absl::OkStatus() : Failure();
  }
  void End() override {
    ERR_clear_error();
    if ((SSL_get_shutdown(tls_) & SSL_SENT_SHUTDOWN) == 0) SSL_shutdown(tls_);
  }
  void TakeEncoded(std::string& encoded) override {
    encoded += std::exchange(unencoded_, {});
    ERR_clear_error();
    if (!refused_ && !established()) SSL_do_handshake(tls_);  // a connecting side speaks first
    std::array<char, kRecordBytes> room;
    for (int got = 0; (got = BIO_read(out_, room.data(), static_cast<int>(room.size()))) > 0;) {
      encoded.append(room.data(), static_cast<size_t>(got));
    }
  }

  // RFC 9266. In TLS 1.2 the exporter binds to a connection only with an extended master secret, which a peer
  // may lack.
  std::string Binding() const override {
    constexpr std::string_view kLabel = "EXPORTER-Channel-Binding";
    std::array<unsigned char, 32> exported;
    if (!established() || SSL_version(tls_) < TLS1_3_VERSION) return {};
    CHECK(SSL_export_keying_material(tls_, exported.data(), exported.size(), kLabel.data(), kLabel.size(),
                                     nullptr, 0, 1) == 1);
    return {exported.begin(), exported.end()};
  }
  bool PeerIsCalled(const std::string& name) const override {
    X509* certificate = SSL_get0_peer_certificate(tls_);
    constexpr unsigned kExactly = X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_WILDCARDS;
    return established() && certificate != nullptr && SSL_get_verify_mode(tls_) != SSL_VERIFY_NONE &&
           X509_check_host(certificate, name.data(), name.size(), kExactly, nullptr) == 1;
  }

 private:
  bool connects() const { return options_.side == FilterSide::kConnects; }

  // The peer reads under the new key from its word about it on; its own key is its own affair.
  void RenewKey(uint64_t records) {
    written_ += records;
    if (written_ < options_.records_per_key || SSL_version(tls_) < TLS1_3_VERSION) return;
    written_ = records;
    CHECK(SSL_key_update(tls_, SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
  }

  // The certificate must be made out to whom this side means, as RFC 9525 says it; a name is also told to
  // the server, which may have several certificates (RFC 6066).
  void Expect() {
    std::string host = options_.expected;
    if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
    X509_VERIFY_PARAM* rules = SSL_get0_param(tls_);
    if (X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1) return;
    X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    CHECK(X509_VERIFY_PARAM_set1_host(rules, host.c_str(), host.size()) == 1);
    CHECK(SSL_set_tlsext_host_name(tls_, host.c_str()) == 1);
  }

  // TLS begins with a record of a type below any letter (RFC 8446, 5.1), HTTP with a letter.
  static bool SpeaksPlainly(std::string_view encoded) {
    return !encoded.empty() && std::isalpha(static_cast<unsigned char>(encoded.front())) != 0;
  }
  absl::Status RefusePlain() {
    refused_ = true;
    unencoded_ = options_.plain_answer;
    return absl::UnavailableError(options_.expected.empty() ? "the peer does not speak TLS"
                                                            : "it does not speak TLS there: write http://");
  }

  bool WantsMore(int result) const { return SSL_get_error(tls_, result) == SSL_ERROR_WANT_READ; }
  absl::Status Failure() const {
    const long verified = SSL_get_verify_result(tls_);
    if (verified == X509_V_OK) return absl::UnavailableError("TLS: " + Reason());
    ERR_clear_error();
    const std::string& expected = options_.expected;
    return absl::UnavailableError(
        absl::StrCat("the certificate of ", expected.empty() ? "the peer" : expected,
                     " is not to be trusted: ", X509_verify_cert_error_string(verified),
                     expected.empty() ? "" : "; if it is yours, trust the authority that vouches for it"));
  }

  const std::shared_ptr<const void> keeps_;
  const Options options_;
  SSL* tls_;
  BIO* in_;   // the filter's, as out_ is
  BIO* out_;  // both are freed with tls_
  bool begun_ = false;
  bool refused_ = false;
  uint64_t written_ = 0;   // records, about, under the present key
  std::string plain_;      // at most kChunkBytes, as each PutEncoded brings
  std::string unencoded_;  // for the descriptor, to a peer that does not speak TLS; at most one answer
};

}  // namespace

absl::StatusOr<TlsContext> TlsContext::ForServer(const std::string& certificate_file,
                                                 const std::string& key_file, std::string plain_answer) {
  const auto shared = std::make_shared<Shared>(TLS_server_method());
  SSL_CTX* context = shared->context;
  Harden(context);
  shared->plain_answer = std::move(plain_answer);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return Unusable("the certificate", certificate_file);
  }
  // Compares the key with the certificate, too.
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return Unusable("the key", key_file);
  }
  return TlsContext(shared);
}

absl::StatusOr<TlsContext> TlsContext::ForClient(const std::string& authorities_file) {
  const auto shared = std::make_shared<Shared>(TLS_client_method());
  SSL_CTX* context = shared->context;
  Harden(context);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  ERR_clear_error();
  const int loaded = authorities_file.empty()
                         ? SSL_CTX_set_default_verify_paths(context)
                         : SSL_CTX_load_verify_locations(context, authorities_file.c_str(), nullptr);
  if (loaded != 1) {
    return Unusable("the certificates of", authorities_file.empty() ? "the system" : authorities_file);
  }
  return TlsContext(shared);
}

namespace {

template <class Object>
using Owned = std::unique_ptr<Object, void (*)(Object*)>;

Owned<BIO> Reading(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free_all};
}

Owned<X509> CertificateIn(const std::string& pem) {
  return {PEM_read_bio_X509(Reading(pem).get(), nullptr, nullptr, nullptr), X509_free};
}

}  // namespace

TlsContext TlsContext::ForEquals(const TlsCredentials& credentials, uint64_t records_per_key) {
  const auto shared = std::make_shared<Shared>(TLS_method());
  shared->records_per_key = records_per_key;
  SSL_CTX* context = shared->context;
  Harden(context);
  CHECK(SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  const Owned<EVP_PKEY> key(
      PEM_read_bio_PrivateKey(Reading(credentials.key).get(), nullptr, nullptr, nullptr), EVP_PKEY_free);
  const Owned<X509> authority = CertificateIn(credentials.authority);
  CHECK(SSL_CTX_use_certificate(context, CertificateIn(credentials.certificate).get()) == 1);
  CHECK(SSL_CTX_use_PrivateKey(context, key.get()) == 1);
  CHECK(X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) == 1);
  return TlsContext(shared);
}

std::unique_ptr<Filter> TlsContext::Accept() const {
  return std::make_unique<TlsFilter>(
      shared_->context, shared_,
      TlsFilter::Options{.plain_answer = shared_->plain_answer, .records_per_key = shared_->records_per_key});
}

std::unique_ptr<Filter> TlsContext::Connect(const std::string& host) const {
  CHECK(!host.empty());
  return std::make_unique<TlsFilter>(
      shared_->context, shared_,
      TlsFilter::Options{
          .side = FilterSide::kConnects, .expected = host, .records_per_key = shared_->records_per_key});
}

std::unique_ptr<Filter> TlsContext::ConnectToEqual() const {
  return std::make_unique<TlsFilter>(
      shared_->context, shared_,
      TlsFilter::Options{.side = FilterSide::kConnects, .records_per_key = shared_->records_per_key});
}

}  // namespace bt::net
