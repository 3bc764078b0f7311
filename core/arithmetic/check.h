// Invariants: on in release builds too. A broken one is a bug of ours; the process stops before it can
// write anything, and replay after the restart is exact.

#ifndef TALLY_CORE_ARITHMETIC_CHECK_H_
#define TALLY_CORE_ARITHMETIC_CHECK_H_

namespace tally {

// Prints "file:line: check failed: condition" to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition);

}  // namespace tally

#define TALLY_CHECK(condition)                                             \
  do {                                                                     \
    if (!(condition)) [[unlikely]] {                                       \
      ::tally::CheckFailed(__FILE__, __LINE__, #condition);                \
    }                                                                      \
  } while (false)

#endif  // TALLY_CORE_ARITHMETIC_CHECK_H_
