// Goal: the slow NITI, by itself, is the one of the golden values.
// Method: real MNIST, 784-100-50-10 and LeNet; weights, exponents, logits, loss errors, ranges and
// right predictions after 1, 2, 10 and 100 mini-batches, byte by byte. LeNet's hundred take a
// minute: with TALLY_LONG=1 only.

#include "tests/core/oracle/niti_golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/checkpoint/digest.h"
#include "tests/core/oracle/slow_niti.h"
#include "tests/core/oracle/slow_niti_arithmetic.h"
#include "tests/core/oracle/slow_niti_input.h"
#include "tests/core/pocketnn/mnist.h"

namespace tally::oracle {
namespace {

constexpr int64_t kUnit = 51;

std::string Bytes(const std::vector<int64_t>& values) {
  std::string bytes;
  for (const int64_t value : values) bytes.push_back(static_cast<char>(value));
  return bytes;
}

std::string Digest(const std::vector<int64_t>& values) {
  Sha256 digest;
  digest.Update(Bytes(values));
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

// m and d of the first 25,000 training images; a test measures them.
constexpr Deviation kMnist = {-94, 55};

// MNIST as the golden networks see it; pixels are kept as bytes, less 128.
struct Images {
  std::vector<int8_t> pixels;
  std::vector<uint32_t> labels;

  // Mantissas, 784 a row.
  std::vector<int64_t> Rows(size_t first, size_t count) const {
    const auto begin = pixels.begin() + static_cast<std::ptrdiff_t>(first * 784);
    return Standardised({begin, begin + static_cast<std::ptrdiff_t>(count * 784)}, kMnist, kUnit);
  }
  std::vector<uint32_t> Labels(size_t first, size_t count) const {
    const auto begin = labels.begin() + static_cast<std::ptrdiff_t>(first);
    return {begin, begin + static_cast<std::ptrdiff_t>(count)};
  }
};

std::optional<Images> ReadImages(const std::string& part) {
  const auto read = test::ReadMnist(part);
  if (!read.has_value()) return std::nullopt;
  Images images;
  images.labels = read->labels;
  for (const std::byte pixel : read->pixels) {
    images.pixels.push_back(static_cast<int8_t>(std::to_integer<int>(pixel) - 128));
  }
  return images;
}

struct Mnist {
  Images train, test;
};

// Nothing if MNIST is not there.
const Mnist* ReadMnistOnce() {
  static const auto mnist = []() -> std::optional<Mnist> {
    const auto train = ReadImages("train");
    const auto test = ReadImages("t10k");
    if (!train.has_value() || !test.has_value()) return std::nullopt;
    return Mnist{*train, *test};
  }();
  return mnist.has_value() ? &*mnist : nullptr;
}

constexpr char kSkipped[] =
    "MNIST is not in TALLY_DATA_DIR; set it to the folder that holds mnist/";

SlowNiti Mlp() {
  return SlowNiti({28, 28, 1}, {{.kind = SlowKind::kDense, .units = 100},
                                {.kind = SlowKind::kDense, .units = 50},
                                {.kind = SlowKind::kDense, .units = 10, .relu = false}});
}

SlowNiti Lenet() {
  const auto convolution = [](int64_t units) {
    return SlowNitiLayer{
        .kind = SlowKind::kConvolution, .units = units, .kernel_height = 5, .kernel_width = 5};
  };
  const SlowNitiLayer pool{.kind = SlowKind::kMaxPool, .kernel_height = 2, .kernel_width = 2};
  return SlowNiti({28, 28, 1}, {convolution(20),
                                pool,
                                convolution(50),
                                pool,
                                {.kind = SlowKind::kDense, .units = 500},
                                {.kind = SlowKind::kDense, .units = 10, .relu = false}});
}

void ExpectStates(const SlowNiti& network, int64_t step, std::span<const GoldenState> states) {
  for (const GoldenState& golden : states) {
    if (golden.steps != step) continue;
    SCOPED_TRACE("layer " + std::to_string(golden.layer) + " after " + std::to_string(step));
    const std::vector<int64_t>& weights = network.weights(golden.layer - 1);
    EXPECT_EQ(network.exponent(golden.layer - 1), golden.exponent);
    EXPECT_EQ(Sum(weights), golden.sum);
    EXPECT_EQ(MagnitudeSum(weights), golden.magnitude_sum);
    EXPECT_EQ(MaxMagnitude(weights), golden.magnitude_max);
    EXPECT_EQ(Digest(weights), golden.sha256);
  }
}

void ExpectTraces(const SlowNiti& network, int64_t step, std::span<const GoldenTrace> traces) {
  for (const GoldenTrace& golden : traces) {
    if (golden.step != step) continue;
    SCOPED_TRACE("layer " + std::to_string(golden.layer) + " in " + std::to_string(step));
    const SlowTrace& trace = network.trace(golden.layer - 1);
    EXPECT_EQ(trace.max_accumulator, golden.max_accumulator);
    EXPECT_EQ(trace.forward_shift, golden.forward_shift);
    EXPECT_EQ(trace.exponent, golden.exponent);
    EXPECT_EQ(trace.error_shift.value_or(kNone), golden.error_shift);
    EXPECT_EQ(trace.max_gradient, golden.max_gradient);
    EXPECT_EQ(trace.range, golden.range);
  }
}

void ExpectLoss(const SlowNiti& network, int64_t step, std::span<const GoldenLoss> losses) {
  for (const GoldenLoss& golden : losses) {
    if (golden.step != step) continue;
    EXPECT_EQ(Sum(network.logits()), golden.logits_sum);
    EXPECT_EQ(MagnitudeSum(network.logits()), golden.logits_magnitude_sum);
    EXPECT_EQ(Digest(network.logits()), golden.logits_sha256);
    EXPECT_EQ(Sum(network.errors()), golden.errors_sum);
    EXPECT_EQ(MagnitudeSum(network.errors()), golden.errors_magnitude_sum);
    EXPECT_EQ(Digest(network.errors()), golden.errors_sha256);
  }
}

struct Table {
  std::span<const GoldenState> states;
  std::span<const GoldenTrace> traces;
  std::span<const GoldenLoss> losses;
  std::span<const GoldenCorrect> correct;
};

constexpr Table kMlp = {kMlpStates, kMlpTraces, kMlpLosses, kMlpCorrect};
constexpr Table kLenet = {kLenetStates, kLenetTraces, kLenetLosses, kLenetCorrect};

void TrainAndCompare(SlowNiti& network, const Images& images, int64_t steps, const Table& table) {
  network.InitialiseGolden();
  ExpectStates(network, 0, table.states);
  int64_t correct = 0;
  for (int64_t step = 1; step <= steps; ++step) {
    const auto first = static_cast<size_t>(step - 1) * kGoldenBatch;
    correct +=
        network.TrainStep(images.Rows(first, kGoldenBatch), images.Labels(first, kGoldenBatch), 2);
    ExpectStates(network, step, table.states);
    ExpectTraces(network, step, table.traces);
    ExpectLoss(network, step, table.losses);
    for (const GoldenCorrect& golden : table.correct) {
      if (golden.steps != step) continue;
      EXPECT_EQ(correct, golden.correct) << step;
    }
  }
}

void ExpectLogits(SlowNiti& network, const Images& test, std::span<const GoldenLogits> table,
                  std::span<const int64_t> shifts) {
  const std::vector<int64_t> logits = network.Forward(test.Rows(0, table.size()));
  EXPECT_EQ(network.logits_exponent(), kLogitsExponent);
  for (size_t l = 0; l < network.layers(); ++l) {
    EXPECT_EQ(network.trace(l).forward_shift, shifts[l]) << "layer " << l + 1;
  }
  for (size_t i = 0; i < table.size(); ++i) {
    EXPECT_EQ(test.labels[i], table[i].label);
    for (size_t c = 0; c < 10; ++c) EXPECT_EQ(logits[i * 10 + c], table[i].logits[c]) << i;
  }
}

std::string DigestOf(const Images& images) {
  Sha256 digest;
  constexpr size_t kAtOnce = 1000;
  for (size_t first = 0; first < images.labels.size(); first += kAtOnce) {
    digest.Update(Bytes(images.Rows(first, kAtOnce)));
  }
  return digest.Hex();
}

TEST(NitiGoldenTest, StandardisedImagesHaveTheListedDigests) {
  const Mnist* const mnist = ReadMnistOnce();
  if (mnist == nullptr) GTEST_SKIP() << kSkipped;
  const auto& pixels = mnist->train.pixels;
  const Deviation measured =
      MeasureDeviation(std::span<const int8_t>(pixels).first(size_t{25000} * 784));
  EXPECT_EQ(measured.mean, kMnist.mean);
  EXPECT_EQ(measured.deviation, kMnist.deviation);
  EXPECT_EQ(Standardised({-128, 0, 127}, kMnist, kUnit), (std::vector<int64_t>{-31, 87, 127}));
  EXPECT_EQ(DigestOf(mnist->train), kTrainImagesSha256);
  EXPECT_EQ(DigestOf(mnist->test), kTestImagesSha256);
  EXPECT_EQ(Standardised({-128, 0, 127}, {-55, 81}, kUnit), (std::vector<int64_t>{-45, 34, 114}))
      << "Fashion-MNIST";
}

TEST(NitiGoldenTest, FirstWeightsAreTheListedOnes) {
  SlowNiti network = Lenet();
  network.InitialiseGolden();
  const std::vector<std::vector<int64_t>> first = {{-60, 32, -77, -94, 98, 81, 21, 39},
                                                   {-25, -60, -88, -18, 61, -57, 120, 119},
                                                   {79, -127, 9, 38, -90, -119, 127, -107},
                                                   {-111, 109, 28, 106, 3, 31, 32, 17}};
  for (size_t l = 0; l < first.size(); ++l) {
    const std::vector<int64_t>& weights = network.weights(l);
    EXPECT_EQ(std::vector<int64_t>(weights.begin(), weights.begin() + 8), first[l]);
  }
}

TEST(NitiGoldenTest, MlpIsTheListedOneThroughAHundredMiniBatches) {
  const Mnist* const mnist = ReadMnistOnce();
  if (mnist == nullptr) GTEST_SKIP() << kSkipped;
  SlowNiti network = Mlp();
  TrainAndCompare(network, mnist->train, 100, kMlp);
  ExpectLogits(network, mnist->test, kMlpLogits, kMlpLogitsShifts);
}

TEST(NitiGoldenTest, MlpIsTheListedOneWithOtherRates) {
  const Mnist* const mnist = ReadMnistOnce();
  if (mnist == nullptr) GTEST_SKIP() << kSkipped;
  for (const int64_t mu : {7, 1, 0, -1}) {
    SCOPED_TRACE("mu " + std::to_string(mu));
    SlowNiti network = Mlp();
    network.InitialiseGolden();
    for (size_t step = 0; step < 10; ++step) {
      network.TrainStep(mnist->train.Rows(step * kGoldenBatch, kGoldenBatch),
                        mnist->train.Labels(step * kGoldenBatch, kGoldenBatch), mu);
    }
    size_t found = 0;
    for (const GoldenRate& golden : kMlpRates) {
      if (golden.mu != mu) continue;
      ++found;
      const std::vector<int64_t>& weights = network.weights(golden.layer - 1);
      EXPECT_EQ(Sum(weights), golden.sum);
      EXPECT_EQ(MagnitudeSum(weights), golden.magnitude_sum);
      EXPECT_EQ(MaxMagnitude(weights), golden.magnitude_max);
      EXPECT_EQ(Digest(weights), golden.sha256) << "layer " << golden.layer;
    }
    EXPECT_EQ(found, 3u);
  }
}

TEST(NitiGoldenTest, LenetIsTheListedOne) {
  const Mnist* const mnist = ReadMnistOnce();
  if (mnist == nullptr) GTEST_SKIP() << kSkipped;
  const bool whole = std::getenv("TALLY_LONG") != nullptr;
  SlowNiti network = Lenet();
  TrainAndCompare(network, mnist->train, whole ? 100 : 10, kLenet);
  if (whole) ExpectLogits(network, mnist->test, kLenetLogits, kLenetLogitsShifts);
}

}  // namespace
}  // namespace tally::oracle
