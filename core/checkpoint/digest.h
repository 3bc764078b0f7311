// SHA-256 (FIPS 180-4), piece by piece.

#ifndef TALLY_CORE_CHECKPOINT_DIGEST_H_
#define TALLY_CORE_CHECKPOINT_DIGEST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tally {

inline constexpr size_t kDigestDigits = 64;

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view bytes);
  // Eight bytes, little-endian.
  void UpdateUint64(uint64_t value);
  // The length as UpdateUint64, then the bytes: no two sequences of texts give the same input.
  void UpdateSized(std::string_view bytes);

  // 64 lower-case hex digits. Call once, last.
  std::string Hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

}  // namespace tally

#endif  // TALLY_CORE_CHECKPOINT_DIGEST_H_
