// SHA-256 (FIPS 180-4), piece by piece.

#ifndef TALLY_CORE_CHECKPOINT_DIGEST_H_
#define TALLY_CORE_CHECKPOINT_DIGEST_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tally {

inline constexpr size_t kDigestBytes = 32;
inline constexpr size_t kDigestDigits = 64;

// A value without allocations of its own: it may be kept and used again and again.
class Sha256 {
 public:
  Sha256() { Begin(); }

  void Update(std::string_view bytes);
  // Eight bytes, little-endian.
  void UpdateUint64(uint64_t value);
  // The length as UpdateUint64, then the bytes: no two sequences of texts give the same input.
  void UpdateSized(std::string_view bytes);

  // Of everything since the last of these two calls; the next Update begins anew.
  std::array<char, kDigestBytes> Bytes();
  std::string Hex();  // the same as 64 lower-case hex digits

 private:
  void Begin();

  static constexpr size_t kContextBytes = 112;
  alignas(8) std::array<std::byte, kContextBytes> context_;  // OpenSSL's SHA256_CTX
};

}  // namespace tally

#endif  // TALLY_CORE_CHECKPOINT_DIGEST_H_
