#include "daemon/storage/record.h"

namespace tally::storage {
namespace {

RecordType Type(const SamplesRecord&) { return RecordType::kSamples; }
RecordType Type(const FlushRecord&) { return RecordType::kFlush; }
RecordType Type(const DigestRecord&) { return RecordType::kDigest; }
RecordType Type(const RollbackRecord&) { return RecordType::kRollback; }

}  // namespace

uint64_t PositionCount(const RecordBody& body) {
  const auto* samples = std::get_if<SamplesRecord>(&body);
  return samples == nullptr ? 1 : samples->labels.size();
}

RecordType TypeOf(const RecordBody& body) {
  return std::visit([](const auto& record) { return Type(record); }, body);
}

}  // namespace tally::storage
