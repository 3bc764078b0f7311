#include "daemon/storage/audit_chain.h"

#include <openssl/evp.h>

#include <algorithm>
#include <optional>

#include "core/arithmetic/check.h"
#include "daemon/storage/hex.h"
#include "daemon/storage/little_endian.h"

namespace tally::storage {
namespace {

// One link at a time in a buffer that is reused: `link` begins with the 32 bytes of the head.
class Chain {
 public:
  explicit Chain(std::string_view head) {
    const std::optional<std::string> bytes = DigestFromHex(head);
    TALLY_CHECK(bytes.has_value());
    link_ = *bytes;
  }

  // Begins the link of one position.
  std::string& Begin(uint64_t position, RecordType type) {
    AppendLittleEndian(position, link_);
    AppendLittleEndian(static_cast<uint8_t>(type), link_);
    return link_;
  }

  // Replaces the link by its hash.
  void End() {
    // Fetched once: looking an algorithm up costs OpenSSL 3 more than hashing a small sample does.
    static EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    unsigned char head[kDigestBytes];
    unsigned int head_bytes = 0;
    TALLY_CHECK(EVP_Digest(link_.data(), link_.size(), head, &head_bytes, sha256, nullptr) == 1);
    TALLY_CHECK(head_bytes == kDigestBytes);
    link_.assign(reinterpret_cast<const char*>(head), kDigestBytes);
  }

  std::string head() const { return ToHex(link_); }

 private:
  std::string link_;
};

void AddSamples(const SamplesRecord& samples, uint64_t first_position, uint64_t from,
                uint64_t through, Chain& chain) {
  const size_t row_bytes = samples.rows.size() / samples.labels.size();
  for (uint64_t position = from; position <= through; ++position) {
    const size_t i = static_cast<size_t>(position - first_position);
    std::string& link = chain.Begin(position, RecordType::kSamples);
    AppendLittleEndian(static_cast<uint8_t>(samples.source.size()), link);
    link.append(samples.source);
    AppendLittleEndian(samples.first_sequence + i, link);
    AppendLittleEndian(samples.labels[i], link);
    link.append(samples.rows, i * row_bytes, row_bytes);
    chain.End();
  }
}

void AddNumberAndDigest(uint64_t position, RecordType type, uint64_t number, std::string_view hex,
                        Chain& chain) {
  const std::optional<std::string> digest = DigestFromHex(hex);
  TALLY_CHECK(digest.has_value());
  std::string& link = chain.Begin(position, type);
  AppendLittleEndian(number, link);
  link.append(*digest);
  chain.End();
}

}  // namespace

std::string GenesisChainHead() { return std::string(2 * kDigestBytes, '0'); }

std::string NextChainHead(std::string_view head, const Record& record, uint64_t from_position,
                          uint64_t through_position) {
  const uint64_t last_position = record.first_position + PositionCount(record.body) - 1;
  const uint64_t from = std::max(record.first_position, from_position);
  const uint64_t through = std::min(last_position, through_position);
  if (from > through) return std::string(head);
  Chain chain(head);
  if (const auto* samples = std::get_if<SamplesRecord>(&record.body)) {
    AddSamples(*samples, record.first_position, from, through, chain);
  } else if (const auto* digest = std::get_if<DigestRecord>(&record.body)) {
    AddNumberAndDigest(from, RecordType::kDigest, digest->step, digest->state_digest, chain);
  } else if (const auto* rollback = std::get_if<RollbackRecord>(&record.body)) {
    AddNumberAndDigest(from, RecordType::kRollback, rollback->target_position,
                       rollback->file_digest, chain);
  } else {
    chain.Begin(from, RecordType::kFlush);
    chain.End();
  }
  return chain.head();
}

}  // namespace tally::storage
