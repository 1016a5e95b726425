#include "net/replica_certificate.h"

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <string_view>

#include "core/base/check.h"

namespace bt::net {
namespace {

template <class Object>
using Owned = std::unique_ptr<Object, void (*)(Object*)>;

constexpr std::string_view kAuthorityLabel = "bytetorrent replica authority 1\n";
// RFC 5280, 4.1.2.5: of what has no well-defined end.
constexpr const char* kNever = "99991231235959Z";

Owned<EVP_PKEY> AuthorityKey(const ReplicaSecret& secret) {
  std::array<unsigned char, 32> seed;
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
             reinterpret_cast<const unsigned char*>(kAuthorityLabel.data()), kAuthorityLabel.size(),
             seed.data(), &size) != nullptr);
  CHECK(size == seed.size());
  Owned<EVP_PKEY> key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(), seed.size()),
                      EVP_PKEY_free);
  CHECK(key != nullptr);
  return key;
}

Owned<EVP_PKEY> FreshKey() {
  Owned<EVP_PKEY> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  CHECK(key != nullptr);
  return key;
}

void SetName(X509_NAME* name, const std::string& text) {
  CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()), -1, 0) == 1);
}

void AddExtension(X509* certificate, int nid, const std::string& value) {
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()),
                                        X509_EXTENSION_free);
  CHECK(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

// Begins in 1970, is issued by the authority, and wants an end, extensions and a signature.
Owned<X509> Begun(const std::string& authority, const std::string& subject, EVP_PKEY* key, uint64_t serial) {
  Owned<X509> certificate(X509_new(), X509_free);
  CHECK(certificate != nullptr && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), serial) == 1);
  CHECK(ASN1_TIME_set(X509_getm_notBefore(certificate.get()), 0) != nullptr);
  SetName(X509_get_issuer_name(certificate.get()), authority);
  SetName(X509_get_subject_name(certificate.get()), subject);
  CHECK(X509_set_pubkey(certificate.get(), key) == 1);
  return certificate;
}

template <class Write>
std::string Pem(const Write& write) {
  const Owned<BIO> memory(BIO_new(BIO_s_mem()), BIO_free_all);
  CHECK(memory != nullptr && write(memory.get()) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &text);
  return {text, static_cast<size_t>(size)};
}

// Ed25519 signs without a digest of its own.
std::string Signed(X509* certificate, EVP_PKEY* authority) {
  CHECK(X509_sign(certificate, authority, nullptr) > 0);
  return Pem([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
}

uint64_t FreshSerial() {
  uint64_t serial = 0;
  CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
  return (serial >> 1) | 1;
}

}  // namespace

std::string ReplicaNodeName(uint64_t cluster, NodeId node) {
  return absl::StrCat("node-", node.value(), ".", absl::StrFormat("%016x", cluster), ".bytetorrent.internal");
}

ReplicaCertificate DrawReplicaCertificate(const ReplicaSecret& secret, uint64_t cluster, NodeId node,
                                          int64_t now) {
  const Owned<EVP_PKEY> authority_key = AuthorityKey(secret);
  const Owned<EVP_PKEY> key = FreshKey();
  const std::string authority = absl::StrFormat("bytetorrent cluster %016x", cluster);
  const std::string name = ReplicaNodeName(cluster, node);
  const int64_t ends = now + kReplicaCertificateSeconds;

  const Owned<X509> root = Begun(authority, authority, authority_key.get(), 1);
  CHECK(ASN1_TIME_set_string(X509_getm_notAfter(root.get()), kNever) == 1);
  AddExtension(root.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  AddExtension(root.get(), NID_key_usage, "critical,keyCertSign");

  const Owned<X509> certificate = Begun(authority, name, key.get(), FreshSerial());
  CHECK(ASN1_TIME_set(X509_getm_notAfter(certificate.get()), ends) != nullptr);
  AddExtension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  AddExtension(certificate.get(), NID_key_usage, "critical,digitalSignature");
  AddExtension(certificate.get(), NID_ext_key_usage, "serverAuth,clientAuth");
  AddExtension(certificate.get(), NID_subject_alt_name, "DNS:" + name);

  return {.credentials = {.certificate = Signed(certificate.get(), authority_key.get()),
                          .key = Pem([&](BIO* out) {
                            return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr,
                                                            nullptr);
                          }),
                          .authority = Signed(root.get(), authority_key.get())},
          .ends = ends};
}

}  // namespace bt::net
