// What the journal's tests share: records, their readable form, and whole journals read at once.

#ifndef TALLY_TESTS_DAEMON_STORAGE_JOURNAL_FIXTURE_H_
#define TALLY_TESTS_DAEMON_STORAGE_JOURNAL_FIXTURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "daemon/storage/file_system.h"
#include "daemon/storage/journal.h"
#include "daemon/storage/record.h"

namespace tally::storage {

inline constexpr char kJournalDirectory[] = "/journal";

// Sanitizers make the long tests ten times slower; what they look for shows in fewer cases.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr uint64_t kCasesDivisor = 6;
#else
inline constexpr uint64_t kCasesDivisor = 1;
#endif

SamplesRecord Samples(const std::string& source, uint64_t first_sequence, uint32_t count,
                      uint32_t row_bytes);
std::string DigestOf(char digit);  // 64 times the digit

// The i-th of an endless sequence of records of every type and of varied sizes.
RecordBody BodyNumber(uint64_t i);

// One line with every field, so that records compare and print.
std::string Describe(const Record& record);

struct Journaled {
  std::vector<std::string> records;  // described
  std::vector<uint64_t> first_positions;
  JournalTail tail;
};

absl::StatusOr<Journaled> ScanAll(FileSystem& fs, uint64_t from_position = 0,
                                  const std::string& directory = kJournalDirectory);

// Scans and opens.
absl::StatusOr<std::unique_ptr<Journal>> OpenJournal(FileSystem& fs,
                                                     const JournalOptions& options = {},
                                                     uint64_t first_position = 1);

}  // namespace tally::storage

#endif  // TALLY_TESTS_DAEMON_STORAGE_JOURNAL_FIXTURE_H_
