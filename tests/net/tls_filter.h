#pragma once

// TLS as a filter between a connection and its descriptor, over OpenSSL's memory BIOs, and a self-signed
// certificate that is made on the spot: the proof that a filter fits under every edge.

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "net/filter.h"

namespace bt::net {

class TlsFilter final : public Filter {
 public:
  TlsFilter(SSL_CTX* context, FilterSide side)
      : tls_(SSL_new(context)), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
    SSL_set_bio(tls_, in_, out_);
    side == FilterSide::kConnects ? SSL_set_connect_state(tls_) : SSL_set_accept_state(tls_);
  }
  ~TlsFilter() override { SSL_free(tls_); }
  TlsFilter(const TlsFilter&) = delete;
  TlsFilter& operator=(const TlsFilter&) = delete;

  bool established() const override { return SSL_is_init_finished(tls_) == 1; }

  absl::Status PutEncoded(std::string_view encoded) override {
    BIO_write(in_, encoded.data(), static_cast<int>(encoded.size()));
    if (!established()) {
      const int result = SSL_do_handshake(tls_);
      if (result <= 0) return result == 0 || !WantsMore(result) ? Error() : absl::OkStatus();
    }
    std::array<char, 16 * 1024> room;
    while (true) {
      const int got = SSL_read(tls_, room.data(), static_cast<int>(room.size()));
      if (got <= 0) return WantsMore(got) || ended() ? absl::OkStatus() : Error();
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
    return SSL_write(tls_, plain.data(), static_cast<int>(plain.size())) > 0 ? absl::OkStatus() : Error();
  }
  void End() override {
    if ((SSL_get_shutdown(tls_) & SSL_SENT_SHUTDOWN) == 0) SSL_shutdown(tls_);
  }
  void TakeEncoded(std::string& encoded) override {
    if (!established()) SSL_do_handshake(tls_);
    std::array<char, 16 * 1024> room;
    for (int got = 0; (got = BIO_read(out_, room.data(), static_cast<int>(room.size()))) > 0;) {
      encoded.append(room.data(), static_cast<size_t>(got));
    }
  }

 private:
  bool WantsMore(int result) const { return SSL_get_error(tls_, result) == SSL_ERROR_WANT_READ; }
  static absl::Status Error() {
    char text[256];
    ERR_error_string_n(ERR_get_error(), text, sizeof text);
    ERR_clear_error();
    return absl::UnavailableError(text);
  }

  SSL* tls_;
  BIO* in_;   // the filter's, as out_ is
  BIO* out_;  // both are freed with tls_
  std::string plain_;
};

// An identity that trusts itself alone: both sides of a connection show it and ask for it.
class TlsIdentity {
 public:
  TlsIdentity() : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), 3600);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate_, name);
    EXPECT_GT(X509_sign(certificate_, key_, EVP_sha256()), 0);
    context_ = SSL_CTX_new(TLS_method());
    EXPECT_EQ(SSL_CTX_use_certificate(context_, certificate_), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context_, key_), 1);
    EXPECT_EQ(X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), certificate_), 1);
    SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  ~TlsIdentity() {
    SSL_CTX_free(context_);
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  MakeFilter make_filter() const {
    return [context = context_](FilterSide side, const Address&) {
      return std::make_unique<TlsFilter>(context, side);
    };
  }

 private:
  EVP_PKEY* key_;
  X509* certificate_;
  SSL_CTX* context_ = nullptr;
};

}  // namespace bt::net
