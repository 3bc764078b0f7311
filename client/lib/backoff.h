// Exponential back-off with jitter, in integers.

#ifndef TALLY_CLIENT_LIB_BACKOFF_H_
#define TALLY_CLIENT_LIB_BACKOFF_H_

#include <chrono>
#include <cstdint>

namespace tally::internal {

// The k-th delay is min(max, first * 2^k), times a factor drawn evenly from 0.800 to 1.200 so that
// clients which lost the same server do not come back in step. One thread at a time.
class Backoff {
 public:
  // `first` is at least 1 ms. Equal seeds give equal delays.
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds max, uint64_t seed);

  std::chrono::milliseconds Next();
  // The next delay is the first again.
  void Reset() { base_ = first_; }

 private:
  uint64_t Draw();

  const std::chrono::milliseconds first_;
  const std::chrono::milliseconds max_;
  std::chrono::milliseconds base_;
  uint64_t state_;
};

// A seed that differs from process to process.
uint64_t RandomSeed();

}  // namespace tally::internal

#endif  // TALLY_CLIENT_LIB_BACKOFF_H_
