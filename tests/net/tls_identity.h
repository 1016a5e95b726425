#pragma once

// A certificate made on the spot for 127.0.0.1 and localhost, as PEM files, and contexts of both sides that
// know it alone.

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <string>

#include "net/tls.h"
#include "tests/net/support.h"

namespace bt::net {

inline constexpr char kPlainAnswer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\n\r\nuse TLS\n";

class TlsIdentity {
 public:
  explicit TlsIdentity(const char* names = "IP:127.0.0.1,DNS:localhost", long seconds = 3600)
      : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
    X509_set_version(certificate_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate_), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate_), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate_), seconds);
    X509_set_pubkey(certificate_, key_);
    X509_NAME* name = X509_get_subject_name(certificate_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate_, name);
    X509_EXTENSION* hosts = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
    X509_add_ext(certificate_, hosts, -1);
    X509_EXTENSION_free(hosts);
    EXPECT_GT(X509_sign(certificate_, key_, EVP_sha256()), 0);
    Write(certificate_file(), [this](FILE* file) { return PEM_write_X509(file, certificate_); });
    Write(key_file(), [this](FILE* file) {
      return PEM_write_PrivateKey(file, key_, nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  ~TlsIdentity() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  TlsIdentity(const TlsIdentity&) = delete;
  TlsIdentity& operator=(const TlsIdentity&) = delete;

  std::string certificate_file() const { return directory_ / "certificate.pem"; }
  std::string key_file() const { return directory_ / "key.pem"; }

  // Accepts with this certificate; connects to whoever shows it as `host`.
  MakeFilter make_filter(const std::string& host = "127.0.0.1") const {
    const absl::StatusOr<TlsContext> server =
        TlsContext::ForServer(certificate_file(), key_file(), kPlainAnswer);
    const absl::StatusOr<TlsContext> client = TlsContext::ForClient(certificate_file());
    EXPECT_TRUE(server.ok()) << server.status();
    EXPECT_TRUE(client.ok()) << client.status();
    return [server = *server, client = *client, host](FilterSide side, const Address&) {
      return side == FilterSide::kAccepts ? server.Accept() : client.Connect(host);
    };
  }

 private:
  static void Write(const std::string& path, const std::function<int(FILE*)>& write) {
    FILE* file = std::fopen(path.c_str(), "w");
    ASSERT_NE(file, nullptr) << path;
    EXPECT_EQ(write(file), 1);
    std::fclose(file);
  }

  TemporaryDirectory directory_;
  EVP_PKEY* key_;
  X509* certificate_;
};

}  // namespace bt::net
