// What kernels_bench times, and how: a batch of work and the level's peak loop
// in turn.

#ifndef TALLY_TESTS_BENCH_KERNEL_JOB_H_
#define TALLY_TESTS_BENCH_KERNEL_JOB_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "core/kernels/packed_matrix.h"
#include "core/tensor/tensor.h"
#include "tests/bench/peak_loops.h"

namespace tally::bench {

// Something to time, with what it is compared with.
struct Job {
  double products = 0;
  PeakLoop peak = {};
  std::function<void()> work;
  std::function<void()> peer;  // may be empty
};

// Times a job in turns, by the thread's CPU clock; figures are medians over the
// turns.
class Comparison {
 public:
  explicit Comparison(const Job& job);

  // Some 200 microseconds of work for a fast machine; returns how long it took.
  double Turn();

  double rate() const;   // products a second
  double share() const;  // of the peak loop
  double ratio() const;  // the peer's time by ours

 private:
  const Job& job_;
  size_t repeats_;
  std::vector<double> rates_, shares_, ratios_;
};

template <class T>
std::shared_ptr<Tensor<T>> RandomMatrix(size_t rows, size_t columns, int limit) {
  std::mt19937 random(1);
  std::uniform_int_distribution<int> uniform(-limit, limit);
  auto matrix = std::make_shared<Tensor<T>>(Shape({rows, columns}));
  for (T& element : matrix->elements()) element = static_cast<T>(uniform(random));
  return matrix;
}

template <class T>
std::shared_ptr<kernels::PackedMatrix<T>> Packed(const Tensor<T>& plain) {
  auto packed =
      std::make_shared<kernels::PackedMatrix<T>>(plain.matrix().rows, plain.matrix().columns);
  packed->Pack(plain.matrix());
  return packed;
}

template <class T>
std::shared_ptr<Tensor<T>> Zeros(size_t rows, size_t columns) {
  return std::make_shared<Tensor<T>>(Shape({rows, columns}));
}

}  // namespace tally::bench

#endif  // TALLY_TESTS_BENCH_KERNEL_JOB_H_
