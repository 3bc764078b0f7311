// Sums across the processes that train one model together.

#ifndef TALLY_CORE_LEARNER_COLLECTIVE_H_
#define TALLY_CORE_LEARNER_COLLECTIVE_H_

#include <cstdint>
#include <span>

namespace tally {

// TrainStep first accumulates integer sums over its rows, hands them to the Collective, then
// applies the result. Integer sums are associative, so any number of ranks gives the same weights.
class Collective {
 public:
  virtual ~Collective() = default;
  // Replaces each element by its sum over all ranks. Every rank calls in the same order.
  virtual void Sum(std::span<int64_t> values) = 0;
  // Replaces each element by its maximum over all ranks.
  virtual void Max(std::span<int64_t> values) = 0;
  // Rows of the mini-batch that lower ranks hold, of which this one holds `rows`: where its random
  // draws begin. What is used by one rank alone may leave it at 0.
  virtual uint64_t RowsBefore(uint64_t /*rows*/) { return 0; }
};

// This process alone: both operations leave the values as they are.
class LocalCollective : public Collective {
 public:
  void Sum(std::span<int64_t>) override {}
  void Max(std::span<int64_t>) override {}
};

}  // namespace tally

#endif  // TALLY_CORE_LEARNER_COLLECTIVE_H_
