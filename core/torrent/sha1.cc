#include "core/torrent/sha1.h"

#include <openssl/evp.h>

#include "core/base/check.h"

namespace bt {
namespace {

// Fetched once: looking an algorithm up by name on every call costs as much as hashing a kilobyte.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA1", nullptr);
  return algorithm;
}

}  // namespace

Sha1Digest Sha1(std::string_view bytes) {
  Sha1Digest digest{};
  CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), nullptr, Algorithm(), nullptr) == 1);
  return digest;
}

struct Sha1Stream::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
};

Sha1Stream::Sha1Stream() : state_(std::make_unique<State>()) {
  CHECK(EVP_DigestInit_ex(state_->context, Algorithm(), nullptr) == 1);
}

Sha1Stream::~Sha1Stream() { EVP_MD_CTX_free(state_->context); }

void Sha1Stream::Update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

Sha1Digest Sha1Stream::Finish() {
  Sha1Digest digest;
  CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), nullptr) == 1);
  CHECK(EVP_DigestInit_ex(state_->context, Algorithm(), nullptr) == 1);
  return digest;
}

}  // namespace bt
