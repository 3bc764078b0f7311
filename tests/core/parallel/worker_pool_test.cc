// Goal: a WorkerPool does every part exactly once, whoever calls it and however many threads it
// has. Method: counters a part, on pools of many sizes; callers that meet in one pool; workers that
// are made late by blocking the others. The thread sanitizer looks for what plain runs cannot show.

#include "core/parallel/worker_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

namespace tally {
namespace {

TEST(WorkerPoolTest, DoesEachPartOnceForAnyNumberOfThreadsAndParts) {
  for (const size_t threads : {1, 2, 3, 5, 8}) {
    WorkerPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const size_t parts : {0, 1, 2, 3, 7, 64, 1000, 4095}) {
      std::vector<int> done(parts, 0);  // not atomic: no part is done twice at a time either
      pool.Run(parts, [&](size_t part, size_t) { ++done[part]; });
      EXPECT_EQ(std::count(done.begin(), done.end(), 1), static_cast<std::ptrdiff_t>(parts))
          << threads << " threads, " << parts << " parts";
    }
  }
}

TEST(WorkerPoolTest, ShowsTheCallerWhatWorkersWroteInThousandsOfRuns) {
  WorkerPool pool(3);
  std::vector<uint64_t> values(30, 0);
  for (uint64_t run = 1; run <= 5000; ++run) {
    pool.Run(values.size(), [&](size_t part, size_t) { values[part] += run * part; });
    // Read at once, between two runs.
    const uint64_t total = std::accumulate(values.begin(), values.end(), uint64_t{0});
    ASSERT_EQ(total, 29 * 30 / 2 * (run * (run + 1) / 2));
  }
}

TEST(WorkerPoolTest, BeginsAStageWhenAllOfTheOneBeforeIsDoneAndJoined) {
  for (const size_t threads : {1, 2, 3, 8}) {
    WorkerPool pool(threads);
    std::vector<uint64_t> first(17, 0);
    std::vector<uint64_t> second(40, 0);
    uint64_t joined = 0;
    uint64_t total = 0;
    const auto fill = [&](size_t part, size_t) { first[part] = part + 1; };
    const auto join = [&] { joined = std::accumulate(first.begin(), first.end(), uint64_t{0}); };
    const auto add_one = [&](size_t, size_t) { ++joined; };
    const auto nothing = [] {};
    const auto copy = [&](size_t part, size_t) { second[part] = joined; };
    const auto sum = [&] { total = std::accumulate(second.begin(), second.end(), uint64_t{0}); };
    const WorkerPool::Stage stages[] = {
        {first.size(), fill, join}, {1, add_one, nothing}, {second.size(), copy, sum}};
    for (int run = 0; run < 300; ++run) {
      std::fill(first.begin(), first.end(), 0);
      joined = total = 0;
      pool.Run(stages);
      ASSERT_EQ(total, 40u * (17 * 18 / 2 + 1)) << threads << " threads";
    }
  }
}

TEST(WorkerPoolTest, GivesEachThreadAnIndexOfItsOwn) {
  constexpr size_t kThreads = 4;
  WorkerPool pool(kThreads);
  std::atomic<int> inside[kThreads] = {};
  std::atomic<bool> shared = false;
  for (int run = 0; run < 200; ++run) {
    pool.Run(64, [&](size_t, size_t thread) {
      ASSERT_LT(thread, kThreads);
      if (inside[thread].fetch_add(1) != 0) shared = true;
      inside[thread].fetch_sub(1);
    });
  }
  EXPECT_FALSE(shared);
}

TEST(WorkerPoolTest, LetsTheOthersDoWhatABlockedThreadDoesNotGetTo) {
  WorkerPool pool(2);
  std::atomic<size_t> done = 0;
  // Whoever takes part 0 waits until all other parts are done: its share must go to the other.
  pool.Run(100, [&](size_t part, size_t) {
    while (part == 0 && done < 99) std::this_thread::yield();
    ++done;
  });
  EXPECT_EQ(done, 100u);
}

TEST(WorkerPoolTest, UsesWorkersAtAll) {
  WorkerPool pool(2);
  std::mutex mutex;
  std::condition_variable came;
  std::set<std::thread::id> seen;
  // No part returns before the other has been taken too, so that no thread can do both.
  pool.Run(2, [&](size_t, size_t) {
    std::unique_lock lock(mutex);
    seen.insert(std::this_thread::get_id());
    came.notify_all();
    EXPECT_TRUE(came.wait_for(lock, std::chrono::minutes(5), [&] { return seen.size() == 2; }));
  });
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen.count(std::this_thread::get_id()), 1u);
}

TEST(WorkerPoolTest, ServesCallersThatMeetWithoutMixingTheirWork) {
  WorkerPool pool(3);
  constexpr size_t kParts = 40;
  std::vector<std::thread> callers;
  for (uint64_t caller = 1; caller <= 4; ++caller) {
    callers.emplace_back([&pool, caller] {
      std::vector<uint64_t> values(kParts, 0);
      for (int run = 0; run < 1000; ++run) {
        pool.Run(kParts, [&](size_t part, size_t) { values[part] += caller; });
      }
      EXPECT_EQ(values, std::vector<uint64_t>(kParts, 1000 * caller));
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(WorkerPoolTest, StopsAtOnceWhetherItWorkedOrNot) {
  for (int i = 0; i < 50; ++i) {
    WorkerPool idle(4);
    WorkerPool used(4);
    used.Run(4, [](size_t, size_t) {});
  }
}

TEST(WorkerPoolDeathTest, RefusesNumbersOutOfRange) {
  EXPECT_DEATH(WorkerPool(0), "check failed");
  EXPECT_DEATH(WorkerPool(WorkerPool::kThreadsMax + 1), "check failed");
  EXPECT_DEATH(WorkerPool(2).Run(4096, [](size_t, size_t) {}), "check failed");
}

}  // namespace
}  // namespace tally
