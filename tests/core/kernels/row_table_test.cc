// Goal: the row kernels of every level this machine can run give what their definitions say.
// Method: random and extreme operands of many shapes against plain loops in int64.

#include "core/kernels/row_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/kernels/packed_matrix.h"
#include "core/kernels/update.h"
#include "tests/core/kernels/random_matrix.h"

namespace tally::kernels {
namespace {

using test::Filling;
using test::MakeMatrix;

class RowTableTest : public ::testing::TestWithParam<Level> {
 protected:
  const RowTable& rows() const { return RowsOf(GetParam()); }

  std::mt19937_64 random_{20240519};
};

PackedMatrix<int16_t> Packed(const Tensor<int16_t>& plain) {
  PackedMatrix<int16_t> packed(plain.matrix().rows, plain.matrix().columns);
  packed.Pack(plain.matrix());
  return packed;
}

TEST_P(RowTableTest, ListsThePairsThatAreNotZero) {
  for (const size_t pairs : {0u, 1u, 5u, 15u, 16u, 17u, 31u, 33u, 100u}) {
    for (const Filling filling : test::kFillings) {
      // One element off, so that pairs lie across what a machine calls aligned.
      Tensor<int16_t> x = MakeMatrix<int16_t>(random_, 1, 2 * pairs + 1, -32768, 32767, filling);
      std::vector<PairTerm> terms(pairs + 1, PairTerm{0xdeadbeef, 0xdeadbeef});
      const size_t count = rows().list_pairs(x.data() + 1, pairs, 7, terms.data());
      size_t next = 0;
      for (size_t i = 0; i < pairs; ++i) {
        const uint32_t pair = static_cast<uint16_t>(x[1 + 2 * i]) |
                              static_cast<uint32_t>(static_cast<uint16_t>(x[2 + 2 * i])) << 16;
        if (pair == 0) continue;
        ASSERT_LT(next, count);
        EXPECT_EQ(terms[next].line, 7 + i);
        EXPECT_EQ(terms[next].pair, pair);
        ++next;
      }
      EXPECT_EQ(next, count);
    }
  }
}

TEST_P(RowTableTest, AddsPairProducts) {
  for (const size_t inputs : {1u, 2u, 3u, 16u, 65u, 128u}) {
    for (const size_t columns : {1u, 10u, 16u, 17u, 50u, 100u, 128u, 200u}) {
      // The largest magnitudes whose sums still fit int32.
      const int64_t limit = std::min<int64_t>(32767, Isqrt(0x7fffffff / inputs));
      for (const Filling filling : test::kFillings) {
        const Tensor<int16_t> w =
            MakeMatrix<int16_t>(random_, inputs, columns, -limit, limit, filling);
        Tensor<int16_t> x =
            MakeMatrix<int16_t>(random_, 1, inputs + 1, -limit, limit, Filling::kMostlyZero);
        x[inputs] = 0;
        const PackedMatrix<int16_t> packed = Packed(w);
        std::vector<PairTerm> terms(packed.lines());
        const size_t count = rows().list_pairs(x.data(), packed.lines(), 0, terms.data());
        Tensor<int32_t> sums(Shape({packed.panels() * 16}));
        for (int32_t& sum : sums.elements()) sum = 3;
        rows().add_pairs(terms.data(), count,
                         {packed.Line(0, 0), packed.panel_stride(), packed.panels()}, sums.data());
        for (size_t j = 0; j < sums.size(); ++j) {
          int64_t wanted = 3;
          for (size_t k = 0; k < inputs && j < columns; ++k) {
            wanted += int64_t{x[k]} * w.matrix().Row(k)[j];
          }
          ASSERT_EQ(sums[j], wanted) << inputs << " x " << columns << " at " << j;
        }
      }
    }
  }
}

struct Update {
  int32_t inverse;
  int32_t limit;
};

constexpr Update kUpdates[] = {
    {1, 32767},        {1, 1},         {2, 127},   {3, 500},         {700, 100},
    {1000, 32767},     {65536, 32767}, {11200, 7}, {1 << 30, 32767}, {2147483647, 32767},
    {(1 << 30) + 1, 5}};

TEST_P(RowTableTest, UpdatesBothRowsOfALine) {
  for (const Update& update : kUpdates) {
    for (const bool feedback : {false, true}) {
      for (const size_t columns : {1u, 16u, 50u, 100u}) {
        for (int turn = 0; turn < 40; ++turn) {
          const Filling filling = test::kFillings[turn % std::size(test::kFillings)];
          PackedMatrix<int16_t> weights = Packed(MakeMatrix<int16_t>(
              random_, 4, columns, -update.limit, update.limit, Filling::kUniform));
          const size_t width = weights.panels() * 16;
          const int64_t kept = update.inverse - 1;
          Tensor<int32_t> residuals = MakeMatrix<int32_t>(random_, 2, width, feedback ? -kept : 0,
                                                          feedback ? kept : 0, filling);
          const int64_t most = INT32_MAX - (feedback ? kept : 0);
          const int64_t sizes[] = {
              most, std::min<int64_t>(most, 100'000),
              std::clamp<int64_t>(int64_t{update.inverse} * 32768 - 1, 1, most) - kept,
              std::min<int64_t>(most, (1 << 30) - 1 - kept)};
          const int64_t size = std::max<int64_t>(0, sizes[random_() % 4]);
          Tensor<int32_t> sums = MakeMatrix<int32_t>(random_, 2, width, -size, size, filling);
          for (size_t j = columns; j < width; ++j) {
            for (size_t row = 0; row < 2; ++row) {
              sums[row * width + j] = residuals[row * width + j] = 0;
            }
          }
          const PackedMatrix<int16_t> before = weights;
          const Tensor<int32_t> residuals_before = residuals;
          const UpdateConstants constants(update.inverse, update.limit,
                                          static_cast<uint64_t>(size + (feedback ? kept : 0)));
          UpdateTally tally;
          const PanelLines<int16_t> lines = {weights.Line(0, 1), weights.panel_stride(),
                                             weights.panels()};
          if (feedback) {
            rows().update_with_feedback(constants, sums.data(), residuals.data(), lines, tally);
          } else {
            rows().update_toward_zero(constants, sums.data(), lines, tally);
          }
          uint64_t clamped = 0;
          int64_t magnitude_max = 0;
          for (size_t row = 0; row < 2; ++row) {
            for (size_t j = 0; j < columns; ++j) {
              const int64_t total =
                  int64_t{sums[row * width + j]} + residuals_before[row * width + j];
              const int64_t quotient = total / update.inverse;
              const int64_t moved = before.At(2 + row, j) - quotient;
              const int64_t wanted = std::clamp<int64_t>(moved, -update.limit, update.limit);
              clamped += moved != wanted ? 1 : 0;
              magnitude_max = std::max(magnitude_max, std::abs(wanted));
              ASSERT_EQ(weights.At(2 + row, j), wanted) << update.inverse << " " << total;
              if (feedback) {
                ASSERT_EQ(residuals[row * width + j], total - quotient * update.inverse);
              }
              ASSERT_EQ(weights.At(row, j), before.At(row, j));
            }
          }
          EXPECT_EQ(tally.clamped, clamped);
          EXPECT_EQ(tally.magnitude_max, magnitude_max);
          // What is missing of the last panel stays zero.
          for (size_t j = columns; j < width; ++j) EXPECT_EQ(weights.At(2, j), 0);
        }
      }
    }
  }
}

TEST_P(RowTableTest, KeepsTheLargestMagnitudeOfEarlierCalls) {
  PackedMatrix<int16_t> weights =
      Packed(MakeMatrix<int16_t>(random_, 2, 16, -5, 5, Filling::kUniform));
  const Tensor<int32_t> sums(Shape({32}));
  UpdateTally tally{.clamped = 4, .magnitude_max = 9};
  rows().update_toward_zero(UpdateConstants(10, 100, 0), sums.data(),
                            {weights.Line(0, 0), weights.panel_stride(), 1}, tally);
  EXPECT_EQ(tally.clamped, 4u);
  EXPECT_EQ(tally.magnitude_max, 9u);
}

INSTANTIATE_TEST_SUITE_P(Levels, RowTableTest,
                         ::testing::ValuesIn(UsableLevels().begin(), UsableLevels().end()),
                         [](const auto& info) { return std::string(LevelName(info.param)); });

}  // namespace
}  // namespace tally::kernels
