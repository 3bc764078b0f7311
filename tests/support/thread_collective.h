// A collective whose ranks are threads of one process.

#ifndef TALLY_TESTS_SUPPORT_THREAD_COLLECTIVE_H_
#define TALLY_TESTS_SUPPORT_THREAD_COLLECTIVE_H_

#include <algorithm>
#include <barrier>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/learner/collective.h"

namespace tally::test {

class ThreadCollective {
 public:
  explicit ThreadCollective(size_t ranks)
      : barrier_(static_cast<ptrdiff_t>(ranks)), parts_(ranks) {}

  class Rank : public Collective {
   public:
    Rank(ThreadCollective& all, size_t rank) : all_(all), rank_(rank) {}

    void Sum(std::span<int64_t> values) override {
      Share(values, [](int64_t a, int64_t b) { return a + b; });
    }
    void Max(std::span<int64_t> values) override {
      Share(values, [](int64_t a, int64_t b) { return std::max(a, b); });
    }
    uint64_t RowsBefore(uint64_t rows) override {
      std::vector<int64_t> held(all_.parts_.size(), 0);
      held[rank_] = static_cast<int64_t>(rows);
      Sum(held);
      uint64_t before = 0;
      for (size_t r = 0; r < rank_; ++r) before += static_cast<uint64_t>(held[r]);
      return before;
    }

   private:
    template <class Join>
    void Share(std::span<int64_t> values, const Join& join) {
      all_.parts_[rank_].assign(values.begin(), values.end());
      all_.barrier_.arrive_and_wait();
      for (size_t i = 0; i < values.size(); ++i) {
        values[i] = all_.parts_[0][i];
        for (size_t r = 1; r < all_.parts_.size(); ++r) {
          values[i] = join(values[i], all_.parts_[r][i]);
        }
      }
      all_.barrier_.arrive_and_wait();
    }

    ThreadCollective& all_;
    size_t rank_;
  };

 private:
  std::barrier<> barrier_;
  std::vector<std::vector<int64_t>> parts_;
};

}  // namespace tally::test

#endif  // TALLY_TESTS_SUPPORT_THREAD_COLLECTIVE_H_
