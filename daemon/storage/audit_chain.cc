#include "daemon/storage/audit_chain.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "core/arithmetic/check.h"
#include "daemon/storage/hex.h"
#include "daemon/storage/little_endian.h"

namespace tally::storage {

std::string GenesisChainHead() { return std::string(2 * kDigestBytes, '0'); }

AuditChain::AuditChain(std::string_view head) {
  const std::optional<std::string> bytes = DigestFromHex(head);
  TALLY_CHECK(bytes.has_value());
  std::copy(bytes->begin(), bytes->end(), head_.begin());
}

std::string AuditChain::head() const { return ToHex({head_.data(), head_.size()}); }

// Begins the link of one position.
void AuditChain::Begin(uint64_t position, RecordType type) {
  char fields[sizeof(position) + 1];
  PutLittleEndian(position, fields);
  fields[sizeof(position)] = static_cast<char>(type);
  link_.Update({head_.data(), head_.size()});
  link_.Update({fields, sizeof(fields)});
}

void AuditChain::PassSamples(const SamplesRecord& samples, uint64_t first_position, uint64_t from,
                             uint64_t through) {
  const std::string_view rows(samples.rows);
  const size_t row_bytes = rows.size() / samples.labels.size();
  const auto source_bytes = static_cast<char>(samples.source.size());
  for (uint64_t position = from; position <= through; ++position) {
    const size_t i = static_cast<size_t>(position - first_position);
    char fields[sizeof(uint64_t) + sizeof(uint32_t)];
    PutLittleEndian(samples.first_sequence + i, fields);
    PutLittleEndian(samples.labels[i], fields + sizeof(uint64_t));
    Begin(position, RecordType::kSamples);
    link_.Update({&source_bytes, 1});
    link_.Update(samples.source);
    link_.Update({fields, sizeof(fields)});
    link_.Update(rows.substr(i * row_bytes, row_bytes));
    head_ = link_.Bytes();
  }
}

void AuditChain::PassNumberAndDigest(uint64_t position, RecordType type, uint64_t number,
                                     std::string_view hex) {
  const std::optional<std::string> digest = DigestFromHex(hex);
  TALLY_CHECK(digest.has_value());
  Begin(position, type);
  link_.UpdateUint64(number);
  link_.Update(*digest);
  head_ = link_.Bytes();
}

void AuditChain::Pass(const Record& record, uint64_t from_position, uint64_t through_position) {
  const uint64_t last_position = record.first_position + PositionCount(record.body) - 1;
  const uint64_t from = std::max(record.first_position, from_position);
  const uint64_t through = std::min(last_position, through_position);
  if (from > through) return;
  if (const auto* samples = std::get_if<SamplesRecord>(&record.body)) {
    PassSamples(*samples, record.first_position, from, through);
  } else if (const auto* digest = std::get_if<DigestRecord>(&record.body)) {
    PassNumberAndDigest(from, RecordType::kDigest, digest->step, digest->state_digest);
  } else if (const auto* rollback = std::get_if<RollbackRecord>(&record.body)) {
    PassNumberAndDigest(from, RecordType::kRollback, rollback->target_position,
                        rollback->file_digest);
  } else {
    Begin(from, RecordType::kFlush);
    head_ = link_.Bytes();
  }
}

std::string NextChainHead(std::string_view head, const Record& record, uint64_t from_position,
                          uint64_t through_position) {
  AuditChain chain(head);
  chain.Pass(record, from_position, through_position);
  return chain.head();
}

}  // namespace tally::storage
