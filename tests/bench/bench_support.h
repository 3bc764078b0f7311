// What the benchmark programs share: processor clocks, medians, real samples in training order.

#ifndef TALLY_TESTS_BENCH_BENCH_SUPPORT_H_
#define TALLY_TESTS_BENCH_BENCH_SUPPORT_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/learner/learner.h"

namespace tally::bench {

// Nanoseconds of processor time used by the calling thread; by all threads of this process; by all
// threads, dead ones included, of another process (-1 if there is none of that id).
int64_t ThreadCpuNs();
int64_t ProcessCpuNs();
int64_t CpuNsOf(pid_t process);
int64_t WallNs();

// The middle value; of an even number the lower of the two. Not empty.
int64_t Median(std::vector<int64_t> values);

// A training set in the order of its first epoch, so that neighbours are of different classes.
struct Samples {
  std::vector<std::byte> pixels;
  std::vector<uint32_t> labels;
  size_t row_bytes = 0;

  size_t count() const { return labels.size(); }
  const std::byte* row(size_t index) const { return pixels.data() + index * row_bytes; }
  RowBatch Rows(size_t first, size_t rows) const {
    return {std::span(pixels).subspan(first * row_bytes, rows * row_bytes), rows};
  }
  std::span<const uint32_t> Labels(size_t first, size_t rows) const {
    return std::span(labels).subspan(first, rows);
  }
};

// Reads two IDX files or, if `labels` is "-", one of CIFAR-10. Prints what is wrong and exits with
// 66 if it cannot.
Samples ReadSamples(const std::string& images, const std::string& labels);

// A network of the zoo, or of a file whose name ends in .yaml, with mini-batches of `rows` (0: its
// own). Sums grow with the mini-batch, so the inverse learning rate grows in the same measure where
// `rows` is larger than the network's own; prints why and exits with 64 if there is no such
// network.
ModelSpec SpecWithRows(const std::string& network, uint64_t rows);

// The float peers' learning rate of the mean gradient: 0.01 online, 0.1 at 20 rows, at most 0.2.
double FloatRate(uint64_t rows);

// Prints what is wrong and exits with 70 unless the status is OK.
void Check(const absl::Status& status);
template <typename T>
T Checked(absl::StatusOr<T> value) {
  Check(value.status());
  return *std::move(value);
}

// A whole number from 1 on; prints usage and exits with 64 otherwise.
uint64_t ParseCount(const char* text, const char* usage);

}  // namespace tally::bench

#endif  // TALLY_TESTS_BENCH_BENCH_SUPPORT_H_
