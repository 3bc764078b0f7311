// Goal: train_lines of every level moves weights and residuals as its definition says.
// Method: random rows and deltas, mostly zero as in training, against plain loops in int64.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/kernels/packed_gradient.h"
#include "core/kernels/row_table.h"
#include "tests/core/kernels/random_matrix.h"

namespace tally::kernels {
namespace {

using test::Filling;
using test::MakeMatrix;

struct Job {
  size_t rows;
  size_t inputs;
  size_t columns;
  int32_t inverse;
  int32_t limit;
  bool feedback;
  bool idle_moves;  // residuals up to four times the inverse
};

class TrainLinesTest : public ::testing::TestWithParam<Level> {
 protected:
  void Check(const Job& job);

  std::mt19937_64 random_{20261129};
};

void TrainLinesTest::Check(const Job& job) {
  const int64_t residual_max =
      job.feedback ? int64_t{job.inverse} * (job.idle_moves ? 4 : 1) - 1 : 0;
  const Tensor<int16_t> x =
      MakeMatrix<int16_t>(random_, job.rows, job.inputs, -255, 255, Filling::kMostlyZero);
  const Tensor<int32_t> deltas =
      MakeMatrix<int32_t>(random_, job.rows, job.columns, -300, 300, Filling::kMostlyZero);
  Tensor<int16_t> plain_deltas(Shape({job.rows, job.columns}));
  PackedMatrix<int16_t> d(job.rows, job.columns);
  PackDeltas(deltas.matrix(), 0, plain_deltas.matrix(), d);

  PackedMatrix<int16_t> weights(job.inputs, job.columns);
  weights.Pack(MakeMatrix<int16_t>(random_, job.inputs, job.columns, -job.limit, job.limit,
                                   Filling::kUniform)
                   .matrix());
  const size_t width = weights.panels() * 16;
  Tensor<int32_t> residuals(Shape({2 * weights.lines(), width}));
  std::uniform_int_distribution<int32_t> residual(static_cast<int32_t>(-residual_max),
                                                  static_cast<int32_t>(residual_max));
  for (size_t k = 0; k < job.inputs; ++k) {
    for (size_t j = 0; j < job.columns; ++j) residuals.matrix().Row(k)[j] = residual(random_);
  }
  const PackedMatrix<int16_t> weights_before = weights;
  const Tensor<int32_t> residuals_before = residuals;

  InputPairs pairs(job.rows, job.inputs);
  const std::span<const PairTerm> lines =
      pairs.Set(x.matrix(), {0, weights.lines()}, job.idle_moves);
  Tensor<int32_t> sums(Shape({2, width}));
  UpdateTally tally{.clamped = 0, .magnitude_max = static_cast<uint32_t>(job.limit)};
  RowsOf(GetParam())
      .train_lines({lines.data(),
                    lines.size(),
                    pairs.values(),
                    job.rows,
                    {d.Line(0, 0), d.panel_stride(), d.panels()},
                    sums.data(),
                    job.feedback ? residuals.data() : nullptr,
                    {weights.Line(0, 0), weights.panel_stride(), weights.panels()},
                    job.idle_moves},
                   UpdateConstants(job.inverse, job.limit,
                                   job.rows * 255 * 300 + static_cast<uint64_t>(residual_max)),
                   tally);

  uint64_t clamped = 0;
  for (size_t k = 0; k < job.inputs; ++k) {
    for (size_t j = 0; j < job.columns; ++j) {
      int64_t total = residuals_before.matrix().Row(k)[j];
      for (size_t r = 0; r < job.rows; ++r) {
        total += int64_t{x.matrix().Row(r)[k]} * deltas.matrix().Row(r)[j];
      }
      const int64_t quotient = total / job.inverse;
      const int64_t moved = weights_before.At(k, j) - quotient;
      const int64_t wanted = std::clamp<int64_t>(moved, -job.limit, job.limit);
      clamped += moved != wanted ? 1 : 0;
      ASSERT_EQ(weights.At(k, j), wanted) << k << ", " << j << " of " << job.rows << " rows";
      if (job.feedback) {
        ASSERT_EQ(residuals.matrix().Row(k)[j], total - quotient * job.inverse) << k << ", " << j;
      }
    }
  }
  EXPECT_EQ(tally.clamped, clamped);
  EXPECT_EQ(tally.magnitude_max, static_cast<uint32_t>(job.limit));
}

TEST_P(TrainLinesTest, MovesWeightsByTheirSums) {
  for (const size_t rows : {1u, 2u, 3u, 20u, 33u}) {
    for (const size_t inputs : {1u, 2u, 9u, 40u}) {
      for (const size_t columns : {1u, 8u, 10u, 16u, 50u, 100u, 140u}) {
        // The last two have quotients, or totals, that take the long way.
        for (const int32_t inverse : {1000, 7, 1, 1 << 29}) {
          for (const bool feedback : {false, true}) {
            Check({rows, inputs, columns, inverse, 300, feedback, /*idle_moves=*/false});
          }
        }
      }
    }
  }
}

TEST_P(TrainLinesTest, MovesWeightsWithoutAGradientWhereResidualsAreLarge) {
  for (const size_t rows : {1u, 2u, 20u}) {
    for (const size_t columns : {10u, 50u, 100u}) {
      for (const int32_t inverse : {1000, 7, 1 << 28}) {
        Check({rows, 9, columns, inverse, 300, /*feedback=*/true, /*idle_moves=*/true});
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, TrainLinesTest,
                         ::testing::ValuesIn(UsableLevels().begin(), UsableLevels().end()),
                         [](const auto& info) { return std::string(LevelName(info.param)); });

}  // namespace
}  // namespace tally::kernels
