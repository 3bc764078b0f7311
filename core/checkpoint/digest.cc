#include "core/checkpoint/digest.h"

#include <openssl/evp.h>

#include <array>

#include "core/arithmetic/check.h"

namespace tally {

// OpenSSL fails here only when it cannot allocate or lacks SHA-256; neither leaves anything to
// report.
struct Sha256::Context {
  EVP_MD_CTX* md = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(md); }
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  TALLY_CHECK(context_->md != nullptr);
  TALLY_CHECK(EVP_DigestInit_ex(context_->md, EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() = default;

void Sha256::Update(std::string_view bytes) {
  TALLY_CHECK(EVP_DigestUpdate(context_->md, bytes.data(), bytes.size()) == 1);
}

void Sha256::UpdateUint64(uint64_t value) {
  std::array<char, 8> bytes = {};
  for (char& byte : bytes) {
    byte = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  Update(std::string_view(bytes.data(), bytes.size()));
}

void Sha256::UpdateSized(std::string_view bytes) {
  UpdateUint64(bytes.size());
  Update(bytes);
}

std::string Sha256::Hex() {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::array<uint8_t, EVP_MAX_MD_SIZE> digest = {};
  unsigned int size = 0;
  TALLY_CHECK(EVP_DigestFinal_ex(context_->md, digest.data(), &size) == 1);
  TALLY_CHECK(size * 2 == kDigestDigits);
  std::string hex;
  for (size_t i = 0; i < size; ++i) {
    hex.push_back(kHex[digest[i] >> 4]);
    hex.push_back(kHex[digest[i] & 15]);
  }
  return hex;
}

}  // namespace tally
