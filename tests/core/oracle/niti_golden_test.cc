// Goal: the slow NITI of this folder by itself, and the learner, have every golden value.
// Method: both train 784-100-50-10 and LeNet on real MNIST; weights, exponents, ranges, logits,
// loss errors and right predictions after 1, 2, 10 and 100 mini-batches, byte by byte. The oracle's
// LeNet takes a minute for a hundred: with TALLY_LONG=1 only.

#include "tests/core/oracle/niti_golden.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/checkpoint/digest.h"
#include "tests/core/oracle/niti_golden_subject.h"
#include "tests/core/oracle/slow_niti_arithmetic.h"

namespace tally::oracle {
namespace {

std::string Digest(const std::vector<int64_t>& values) {
  std::string bytes;
  for (const int64_t value : values) bytes.push_back(static_cast<char>(value));
  Sha256 digest;
  digest.Update(bytes);
  return digest.Hex();
}

int64_t Sum(const std::vector<int64_t>& values) {
  int64_t sum = 0;
  for (const int64_t value : values) sum += value;
  return sum;
}

int64_t MagnitudeSum(const std::vector<int64_t>& values) {
  int64_t sum = 0;
  for (const int64_t value : values) sum += std::abs(value);
  return sum;
}

constexpr char kSkipped[] =
    "MNIST is not in TALLY_DATA_DIR; set it to the folder that holds mnist/";

// Mantissas of `count` images.
std::vector<int64_t> Mantissas(const test::LabelledImages& images, size_t first, size_t count) {
  std::vector<int64_t> pixels;
  for (const std::byte pixel : images.Rows(first, count).bytes) {
    pixels.push_back(std::to_integer<int64_t>(pixel) - 128);
  }
  return Standardised(pixels, kMnistDeviation, kGoldenUnit);
}

std::string DigestOfMantissas(const test::LabelledImages& images) {
  Sha256 digest;
  constexpr size_t kAtOnce = 1000;
  for (size_t first = 0; first < images.rows(); first += kAtOnce) {
    std::string bytes;
    for (const int64_t m : Mantissas(images, first, kAtOnce)) bytes.push_back(static_cast<char>(m));
    digest.Update(bytes);
  }
  return digest.Hex();
}

TEST(NitiGoldenInputTest, StandardisedImagesHaveTheListedDigests) {
  const auto train = test::ReadMnist("train");
  const auto test = test::ReadMnist("t10k");
  if (!train.has_value() || !test.has_value()) GTEST_SKIP() << kSkipped;
  std::vector<int16_t> pixels;
  for (const std::byte pixel : train->Rows(0, 25000).bytes) {
    pixels.push_back(static_cast<int16_t>(std::to_integer<int>(pixel) - 128));
  }
  const Deviation measured = MeasureDeviation(pixels);
  EXPECT_EQ(measured.mean, kMnistDeviation.mean);
  EXPECT_EQ(measured.deviation, kMnistDeviation.deviation);
  const std::vector<int64_t> ends = {-128, 0, 127};
  EXPECT_EQ(Standardised(ends, kMnistDeviation, kGoldenUnit), (std::vector<int64_t>{-31, 87, 127}));
  EXPECT_EQ(Standardised(ends, {-55, 81}, kGoldenUnit), (std::vector<int64_t>{-45, 34, 114}))
      << "Fashion-MNIST";
  EXPECT_EQ(DigestOfMantissas(*train), kTrainImagesSha256);
  EXPECT_EQ(DigestOfMantissas(*test), kTestImagesSha256);
}

struct Golden {
  GoldenNetwork network;
  std::span<const GoldenState> states;
  std::span<const GoldenTrace> traces;
  std::span<const GoldenLoss> losses;
  std::span<const GoldenCorrect> correct;
  std::span<const GoldenLogits> logits;
  std::span<const int64_t> logits_shifts;
};

constexpr Golden kMlp = {GoldenNetwork::kMlp, kMlpStates, kMlpTraces,      kMlpLosses,
                         kMlpCorrect,         kMlpLogits, kMlpLogitsShifts};
constexpr Golden kLenet = {GoldenNetwork::kLenet, kLenetStates, kLenetTraces,      kLenetLosses,
                           kLenetCorrect,         kLenetLogits, kLenetLogitsShifts};

using Make = std::unique_ptr<GoldenSubject> (*)(GoldenNetwork network, int32_t mu);

struct Who {
  const char* name;
  Make make;
  bool slow;
};
void PrintTo(const Who& who, std::ostream* out) { *out << who.name; }

class NitiGoldenTest : public testing::TestWithParam<Who> {
 protected:
  static std::vector<uint32_t> Labels(const test::LabelledImages& images, size_t first,
                                      size_t count) {
    const auto begin = images.labels.begin() + static_cast<std::ptrdiff_t>(first);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }

  // Mini-batch `step`, from 1.
  static int64_t Train(GoldenSubject& subject, const test::LabelledImages& images, int64_t step) {
    const auto first = static_cast<size_t>(step - 1) * kGoldenBatch;
    return subject.TrainStep(images.Rows(first, kGoldenBatch), Labels(images, first, kGoldenBatch));
  }

  static void ExpectStates(GoldenSubject& subject, int64_t step, const Golden& golden) {
    for (const GoldenState& wanted : golden.states) {
      if (wanted.steps != step) continue;
      SCOPED_TRACE("layer " + std::to_string(wanted.layer) + " after " + std::to_string(step));
      const std::vector<int64_t> weights = subject.Weights(wanted.layer - 1);
      EXPECT_EQ(subject.Exponent(wanted.layer - 1), wanted.exponent);
      EXPECT_EQ(Sum(weights), wanted.sum);
      EXPECT_EQ(MagnitudeSum(weights), wanted.magnitude_sum);
      EXPECT_EQ(MaxMagnitude(weights), wanted.magnitude_max);
      EXPECT_EQ(Digest(weights), wanted.sha256);
    }
  }

  static void ExpectTraces(const GoldenSubject& subject, int64_t step, const Golden& golden) {
    for (const GoldenTrace& wanted : golden.traces) {
      if (wanted.step != step) continue;
      SCOPED_TRACE("layer " + std::to_string(wanted.layer) + " in " + std::to_string(step));
      const SlowTrace trace = subject.Trace(wanted.layer - 1);
      EXPECT_EQ(trace.max_accumulator, wanted.max_accumulator);
      EXPECT_EQ(trace.forward_shift, wanted.forward_shift);
      EXPECT_EQ(trace.exponent, wanted.exponent);
      EXPECT_EQ(trace.error_shift.value_or(kNone), wanted.error_shift);
      EXPECT_EQ(trace.max_gradient, wanted.max_gradient);
      EXPECT_EQ(trace.range, wanted.range);
    }
  }

  static void ExpectLosses(const GoldenSubject& subject, int64_t step, const Golden& golden) {
    for (const GoldenLoss& wanted : golden.losses) {
      if (wanted.step != step) continue;
      SCOPED_TRACE("mini-batch " + std::to_string(step));
      EXPECT_EQ(Sum(subject.Logits()), wanted.logits_sum);
      EXPECT_EQ(MagnitudeSum(subject.Logits()), wanted.logits_magnitude_sum);
      EXPECT_EQ(Digest(subject.Logits()), wanted.logits_sha256);
      EXPECT_EQ(Sum(subject.Errors()), wanted.errors_sum);
      EXPECT_EQ(MagnitudeSum(subject.Errors()), wanted.errors_magnitude_sum);
      EXPECT_EQ(Digest(subject.Errors()), wanted.errors_sha256);
    }
  }

  // The first test images as one mini-batch: what it sees before its update.
  static void ExpectLogits(GoldenSubject& subject, const Golden& golden) {
    const auto test = test::ReadMnist("t10k");
    ASSERT_TRUE(test.has_value());
    const size_t rows = golden.logits.size();
    subject.TrainStep(test->Rows(0, rows), Labels(*test, 0, rows));
    const std::vector<int64_t> logits = subject.Logits();
    EXPECT_EQ(subject.Trace(subject.layers() - 1).exponent, kLogitsExponent);
    for (size_t l = 0; l < subject.layers(); ++l) {
      EXPECT_EQ(subject.Trace(l).forward_shift, golden.logits_shifts[l]) << "layer " << l + 1;
    }
    for (size_t i = 0; i < rows; ++i) {
      EXPECT_EQ(test->labels[i], golden.logits[i].label);
      for (size_t c = 0; c < 10; ++c) {
        EXPECT_EQ(logits[i * 10 + c], golden.logits[i].logits[c]) << "image " << i;
      }
    }
  }

  static void TrainAndCompare(const Golden& golden, int64_t steps) {
    const auto train = test::ReadMnist("train");
    if (!train.has_value()) GTEST_SKIP() << kSkipped;
    const auto subject = GetParam().make(golden.network, 2);
    ExpectStates(*subject, 0, golden);
    int64_t correct = 0;
    for (int64_t step = 1; step <= steps; ++step) {
      correct += Train(*subject, *train, step);
      ExpectStates(*subject, step, golden);
      ExpectTraces(*subject, step, golden);
      ExpectLosses(*subject, step, golden);
      for (const GoldenCorrect& wanted : golden.correct) {
        if (wanted.steps != step) continue;
        EXPECT_EQ(correct, wanted.correct) << "after " << step;
      }
    }
    if (steps == 100) ExpectLogits(*subject, golden);
  }
};

TEST_P(NitiGoldenTest, FirstWeightsAreTheListedOnes) {
  const auto subject = GetParam().make(GoldenNetwork::kLenet, 2);
  const std::vector<std::vector<int64_t>> first = {{-60, 32, -77, -94, 98, 81, 21, 39},
                                                   {-25, -60, -88, -18, 61, -57, 120, 119},
                                                   {79, -127, 9, 38, -90, -119, 127, -107},
                                                   {-111, 109, 28, 106, 3, 31, 32, 17}};
  ASSERT_EQ(subject->layers(), first.size());
  for (size_t l = 0; l < first.size(); ++l) {
    const std::vector<int64_t> weights = subject->Weights(l);
    EXPECT_EQ(std::vector<int64_t>(weights.begin(), weights.begin() + 8), first[l]);
  }
}

TEST_P(NitiGoldenTest, MlpIsTheListedOneThroughAHundredMiniBatches) { TrainAndCompare(kMlp, 100); }

TEST_P(NitiGoldenTest, MlpIsTheListedOneWithOtherRates) {
  const auto train = test::ReadMnist("train");
  if (!train.has_value()) GTEST_SKIP() << kSkipped;
  for (const int32_t mu : {7, 1, 0, -1}) {
    SCOPED_TRACE("mu " + std::to_string(mu));
    const auto subject = GetParam().make(GoldenNetwork::kMlp, mu);
    for (int64_t step = 1; step <= 10; ++step) Train(*subject, *train, step);
    size_t found = 0;
    for (const GoldenRate& wanted : kMlpRates) {
      if (wanted.mu != mu) continue;
      ++found;
      const std::vector<int64_t> weights = subject->Weights(wanted.layer - 1);
      EXPECT_EQ(Sum(weights), wanted.sum);
      EXPECT_EQ(MagnitudeSum(weights), wanted.magnitude_sum);
      EXPECT_EQ(MaxMagnitude(weights), wanted.magnitude_max);
      EXPECT_EQ(Digest(weights), wanted.sha256) << "layer " << wanted.layer;
    }
    EXPECT_EQ(found, 3u);
  }
}

TEST_P(NitiGoldenTest, LenetIsTheListedOne) {
  const bool whole = !GetParam().slow || std::getenv("TALLY_LONG") != nullptr;
  TrainAndCompare(kLenet, whole ? 100 : 10);
}

INSTANTIATE_TEST_SUITE_P(Niti, NitiGoldenTest,
                         testing::Values(Who{"Oracle", MakeGoldenOracle, true},
                                         Who{"Learner", MakeGoldenLearner, false}),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace tally::oracle
