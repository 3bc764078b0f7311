// Where each source of samples stands: what makes a retry harmless.

#ifndef TALLY_DAEMON_HOSTING_SOURCE_TABLE_H_
#define TALLY_DAEMON_HOSTING_SOURCE_TABLE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "daemon/hosting/model_host.h"

namespace tally::hosting {

// Last sequence of each source; what a checkpoint stores.
using SequenceMap = std::map<std::string, uint64_t, std::less<>>;

// "door=1200 yard=7": one line, sorted by name.
std::string EncodeSequences(const SequenceMap& sequences);
absl::StatusOr<SequenceMap> DecodeSequences(std::string_view text);

// A source and a sequence it has reached.
struct SourceSequence {
  std::string source;
  uint64_t through = 0;
};

// Not synchronised: its owner's lock guards it. Sources are never evicted, since a forgotten one
// would begin again at sequence 1 and teach everything twice.
class SourceTable {
 public:
  // How many of `count` rows from `first_sequence` on were kept before. OUT_OF_RANGE with the
  // expected sequence if rows are missing in between; RESOURCE_EXHAUSTED if the source is one too
  // many.
  absl::StatusOr<uint32_t> CountKept(std::string_view source, uint64_t first_sequence,
                                     uint32_t count, uint32_t sources_max) const;

  // The source's rows up to `through` are in the journal.
  void Accept(const std::string& source, uint64_t through);

  // BeginSync lists what was accepted since the last call; EndSync, given that list, makes it
  // durable.
  std::vector<SourceSequence> BeginSync();
  void EndSync(const std::vector<SourceSequence>& synced);

  void Trained(std::string_view source, uint64_t through);

  // After recovery: everything in the journal is accepted and durable.
  void Restore(const SequenceMap& accepted, const SequenceMap& trained);

  SourceProgress Progress(std::string_view source) const;
  uint32_t size() const { return static_cast<uint32_t>(entries_.size()); }

 private:
  struct Entry {
    SourceProgress progress;
    bool listed = false;  // in unsynced_
  };
  using Entries = std::map<std::string, Entry, std::less<>>;

  Entries entries_;
  std::vector<Entries::iterator> unsynced_;
};

}  // namespace tally::hosting

#endif  // TALLY_DAEMON_HOSTING_SOURCE_TABLE_H_
