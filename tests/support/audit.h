// An auditor of a model's directory: computes the audit chain from the journal and compares it with
// every head that is stored.

#ifndef TALLY_TESTS_SUPPORT_AUDIT_H_
#define TALLY_TESTS_SUPPORT_AUDIT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/storage/file_system.h"

namespace tally::testing {

struct Audit {
  std::vector<std::string> findings;  // a head that is wrong, a file that should not be there
  std::vector<uint64_t> missing;      // closed segments before the newest generation without an end
  uint64_t ends = 0;                  // ends of segments that are right
  uint64_t generations = 0;           // generations whose head is right
};

// Begins with the head of the oldest generation from which the journal is whole; what lies before
// it cannot be looked at. Call it while nothing writes.
Audit AuditModel(storage::FileSystem& fs, const std::string& state_dir, const std::string& model);

}  // namespace tally::testing

#endif  // TALLY_TESTS_SUPPORT_AUDIT_H_
