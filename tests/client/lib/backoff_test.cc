// Goal: pin the delays between attempts.
// Method: long runs with several seeds, compared with the bounds that backoff.h promises.

#include "client/lib/backoff.h"

#include <gtest/gtest.h>

#include <set>

namespace tally::internal {
namespace {

using std::chrono::milliseconds;

TEST(BackoffTest, DoublesFromTheFirstToTheLargestDelayWithinAFifth) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    Backoff backoff(milliseconds(100), milliseconds(5000), seed);
    for (const int64_t base : {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000}) {
      const int64_t delay = backoff.Next().count();
      EXPECT_GE(delay, base * 800 / 1000);
      EXPECT_LE(delay, base * 1200 / 1000);
    }
  }
}

TEST(BackoffTest, StartsAgainAfterReset) {
  Backoff backoff(milliseconds(100), milliseconds(5000), 7);
  for (int i = 0; i < 20; ++i) backoff.Next();
  backoff.Reset();
  EXPECT_LE(backoff.Next().count(), 120);
}

TEST(BackoffTest, SpreadsClientsApart) {
  std::set<int64_t> delays;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    delays.insert(Backoff(milliseconds(1000), milliseconds(5000), seed).Next().count());
  }
  EXPECT_GT(delays.size(), 50u);
  EXPECT_NE(RandomSeed(), RandomSeed());
}

TEST(BackoffTest, NeverSpinsWithoutAPause) {
  Backoff backoff(milliseconds(0), milliseconds(0), 1);
  for (int i = 0; i < 100; ++i) EXPECT_GE(backoff.Next(), milliseconds(1));
}

TEST(BackoffTest, DoesNotOverflowAtTheLargestDelay) {
  Backoff backoff(milliseconds(1), std::chrono::hours(1), 3);
  for (int i = 0; i < 1000; ++i) EXPECT_LE(backoff.Next(), milliseconds(3'600'000 * 6 / 5));
}

}  // namespace
}  // namespace tally::internal
