#include "daemon/platform/memory.h"

#include <malloc.h>

namespace tally::platform {
namespace {

// One pool for RPC threads and one more for who finds it locked. glibc's own limit is 8 a core, and
// each keeps what its threads have freed.
constexpr int kArenas = 2;
// Blocks from this size on come from the system and go back to it. It lies above messages of usual
// size, for which new pages each time would cost more than copying them; naming it also keeps glibc
// from raising it up to 32 MiB once a larger block is freed.
constexpr int kMappedBytes = 1 << 20;
// Free memory at the end of a pool beyond this goes back: as much as the training queue holds,
// which a stream would take again at once.
constexpr int kTrimBytes = 2 << 20;

}  // namespace

// An allocator that refuses a setting works without it.
void LimitFreeMemory() {
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, kArenas);
  mallopt(M_MMAP_THRESHOLD, kMappedBytes);
  mallopt(M_TRIM_THRESHOLD, kTrimBytes);
#endif
}

void ReturnFreeMemory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace tally::platform
