// What recovery must know about a journal before it replays it.

#ifndef TALLY_DAEMON_HOSTING_JOURNAL_SURVEY_H_
#define TALLY_DAEMON_HOSTING_JOURNAL_SURVEY_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/storage/file_system.h"
#include "daemon/storage/journal.h"

namespace tally::hosting {

// A rollback in the journal; as long as it may be replayed, its target must be kept.
struct RollbackMark {
  uint64_t position = 0;
  uint64_t target_position = 0;
};

// One verifying pass over the whole journal. A digest record lies behind the step it is about, so
// the digests must be known before the replay reaches their steps.
struct JournalSurvey {
  storage::JournalTail tail;
  uint64_t oldest_position = 0;    // of the first record; 0 if there is none
  std::vector<uint64_t> segments;  // that hold records, by their first positions
  std::vector<RollbackMark> rollbacks;
  // Digests by step, one map an era: a rollback ends an era, since steps may repeat behind it.
  std::vector<std::map<uint64_t, std::string>> digests;

  // Samples and flushes behind `position`, to estimate how long a replay takes.
  struct Load {
    uint64_t samples = 0;
    uint64_t flushes = 0;
  };
  Load load;

  // The era in which records at `position` + 1 lie.
  size_t EraAfter(uint64_t position) const;
  // The segment that holds `position`, by its first position; 0 if there is none.
  uint64_t SegmentOf(uint64_t position) const;
  // The journalled digest of `step` in `era`; null if there is none.
  const std::string* Digest(size_t era, uint64_t step) const;
  uint64_t last_position() const { return tail.next_position - 1; }
};

// Walks the whole journal; `Load` counts what lies behind `load_from`. `visited` is called for
// every record and may stop the walk with an error.
absl::StatusOr<JournalSurvey> SurveyJournal(storage::FileSystem& fs, const std::string& directory,
                                            uint64_t load_from,
                                            const std::function<absl::Status()>& visited);

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_JOURNAL_SURVEY_H_
