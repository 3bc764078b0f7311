#include "tests/daemon/storage/journal_fixture.h"

#include "core/text/status_macros.h"
#include "core/text/strings.h"
#include "daemon/storage/hex.h"

namespace tally::storage {
namespace {

std::string DescribeBody(const SamplesRecord& body) {
  std::string labels;
  for (const uint32_t label : body.labels) text::StrAppend(&labels, " ", label);
  return text::StrCat("SAMPLES ", body.source, " from ", body.first_sequence, " labels", labels,
                      " rows ", ToHex(body.rows));
}
std::string DescribeBody(const FlushRecord&) { return "FLUSH"; }
std::string DescribeBody(const DigestRecord& body) {
  return text::StrCat("DIGEST ", body.step, " ", body.state_digest);
}
std::string DescribeBody(const RollbackRecord& body) {
  return text::StrCat("ROLLBACK ", body.target_position, " ", body.file_digest);
}

}  // namespace

SamplesRecord Samples(const std::string& source, uint64_t first_sequence, uint32_t count,
                      uint32_t row_bytes) {
  SamplesRecord samples{source, first_sequence, "", {}};
  for (uint32_t i = 0; i < count; ++i) {
    samples.labels.push_back(static_cast<uint32_t>((first_sequence + i) % 10));
    for (uint32_t j = 0; j < row_bytes; ++j) {
      samples.rows.push_back(static_cast<char>(first_sequence * 31 + i * 7 + j));
    }
  }
  return samples;
}

std::string DigestOf(char digit) { return std::string(64, digit); }

RecordBody BodyNumber(uint64_t i) {
  const char digit = "0123456789abcdef"[i % 16];
  if (i % 7 == 3) return FlushRecord();
  if (i % 7 == 5) return DigestRecord{i, DigestOf(digit)};
  if (i % 11 == 10) return RollbackRecord{i / 2, DigestOf(digit)};
  const uint32_t count = static_cast<uint32_t>(1 + i % 5);
  return Samples(i % 2 == 0 ? "camera" : "b", i + 1, count, static_cast<uint32_t>(3 + i % 13));
}

std::string Describe(const Record& record) {
  return text::StrCat(record.first_position, ": ",
                      std::visit([](const auto& body) { return DescribeBody(body); }, record.body));
}

absl::StatusOr<Journaled> ScanAll(FileSystem& fs, uint64_t from_position,
                                  const std::string& directory) {
  Journaled found;
  TALLY_ASSIGN_OR_RETURN(found.tail,
                         ScanJournal(fs, directory, from_position, [&found](Record record) {
                           found.records.push_back(Describe(record));
                           found.first_positions.push_back(record.first_position);
                           return absl::OkStatus();
                         }));
  return found;
}

absl::StatusOr<std::unique_ptr<Journal>> OpenJournal(FileSystem& fs, const JournalOptions& options,
                                                     uint64_t first_position) {
  TALLY_ASSIGN_OR_RETURN(const Journaled found, ScanAll(fs));
  return Journal::Open(fs, kJournalDirectory, found.tail, first_position, options);
}

}  // namespace tally::storage
