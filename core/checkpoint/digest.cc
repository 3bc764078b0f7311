#include "core/checkpoint/digest.h"

// The functions that OpenSSL 3 itself is built on, and discourages in favour of EVP. EVP would add
// a fifth to the cost of hashing a sample of 784 bytes, and 2 MB of memory for the provider that it
// looks the algorithm up in. Both choose the processor's SHA instructions.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <array>
#include <new>

#include "core/arithmetic/check.h"

namespace tally {
namespace {

SHA256_CTX* AsContext(std::byte* bytes) { return reinterpret_cast<SHA256_CTX*>(bytes); }

}  // namespace

// None of OpenSSL's three calls can fail.
void Sha256::Begin() {
  static_assert(sizeof(SHA256_CTX) <= kContextBytes && alignof(SHA256_CTX) <= 8);
  new (context_.data()) SHA256_CTX;
  TALLY_CHECK(SHA256_Init(AsContext(context_.data())) == 1);
}

void Sha256::Update(std::string_view bytes) {
  TALLY_CHECK(SHA256_Update(AsContext(context_.data()), bytes.data(), bytes.size()) == 1);
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

std::array<char, kDigestBytes> Sha256::Bytes() {
  static_assert(kDigestBytes == SHA256_DIGEST_LENGTH);
  std::array<char, kDigestBytes> digest = {};
  TALLY_CHECK(SHA256_Final(reinterpret_cast<unsigned char*>(digest.data()),
                           AsContext(context_.data())) == 1);
  Begin();
  return digest;
}

std::string Sha256::Hex() {
  static constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  hex.reserve(kDigestDigits);
  for (const char byte : Bytes()) {
    const auto value = static_cast<uint8_t>(byte);
    hex.push_back(kHex[value >> 4]);
    hex.push_back(kHex[value & 15]);
  }
  return hex;
}

}  // namespace tally
