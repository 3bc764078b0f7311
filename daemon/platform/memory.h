// How the C library's allocator keeps memory that the program has given back.

#ifndef TALLY_DAEMON_PLATFORM_MEMORY_H_
#define TALLY_DAEMON_PLATFORM_MEMORY_H_

namespace tally::platform {

// Call once, before the first thread starts. A daemon on a board would rather wait for an
// allocation now and then than keep a pool of free memory for every thread.
void LimitFreeMemory();

// Gives free pages back to the system. Worth its 0.1 ms after work that needed much memory once:
// a recovery, a checkpoint.
void ReturnFreeMemory();

}  // namespace tally::platform

#endif  // TALLY_DAEMON_PLATFORM_MEMORY_H_
