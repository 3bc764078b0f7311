#include "core/arithmetic/check.h"

#include <cstdio>
#include <cstdlib>

namespace tally {

void CheckFailed(const char* file, int line, const char* condition) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::abort();
}

}  // namespace tally
