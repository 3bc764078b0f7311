// Counts what this program allocates through operator new.

#ifndef TALLY_TESTS_SUPPORT_ALLOCATION_HOOK_H_
#define TALLY_TESTS_SUPPORT_ALLOCATION_HOOK_H_

#include <cstdint>

namespace tally::test {

uint64_t Allocations();
uint64_t AllocationsOfThisThread();
uint64_t AllocatedBytes();

}  // namespace tally::test

#endif  // TALLY_TESTS_SUPPORT_ALLOCATION_HOOK_H_
