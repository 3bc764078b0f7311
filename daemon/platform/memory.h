// How much memory the process keeps that it does not use: free blocks of the C library's allocator,
// and code that has run.

#ifndef TALLY_DAEMON_PLATFORM_MEMORY_H_
#define TALLY_DAEMON_PLATFORM_MEMORY_H_

namespace tally::platform {

// Call once, before the first thread starts. A daemon on a board would rather wait for an
// allocation now and then than keep a pool of free memory for every thread.
void LimitFreeMemory();

// Gives free pages back to the system, and unmaps those of code and constants, which the system then
// takes first when memory is short; the ones in use are mapped again at their first use. Worth its
// time after work that needed much once: a start, a recovery, a new model, a checkpoint. Any thread
// may call it while others run. Breakpoints that a debugger has written into code are lost.
void ReturnUnusedMemory();

}  // namespace tally::platform

#endif  // TALLY_DAEMON_PLATFORM_MEMORY_H_
