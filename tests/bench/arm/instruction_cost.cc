// Goal: the processor instructions of one training step and of one inference, under an emulator
// that counts them. Method: a network of the zoo on drawn rows, so many mini-batches or inferences
// and nothing else that depends on their number: of two runs, the difference of the counts is the
// cost. run.sh does that.
//
//   instruction_cost NETWORK train|infer COUNT

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "core/algorithms/algorithms.h"

namespace {

constexpr uint32_t kWarmUp = 2;  // buffers are made in the first step

// Bytes as of an image: most of them dark, the rest of any value (a multiplicative congruence).
std::vector<std::byte> DrawBytes(size_t count) {
  std::vector<std::byte> bytes(count);
  uint32_t state = 1;
  for (std::byte& each : bytes) {
    state = state * 1664525u + 1013904223u;
    each = (state >> 30) == 0 ? static_cast<std::byte>(state >> 16) : std::byte{0};
  }
  return bytes;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc == 4 ? argv[2] : "";
  if (mode != "train" && mode != "infer") {
    std::fputs("usage: instruction_cost NETWORK train|infer COUNT\n", stderr);
    return 64;
  }
  const auto spec = tally::ZooSpec(argv[1]);
  const auto learner = spec.ok() ? tally::MakeLearner(*spec) : spec.status();
  if (!learner.ok()) {
    std::fprintf(stderr, "instruction_cost: %s\n", learner.status().ToString().c_str());
    return 64;
  }
  const auto count = kWarmUp + static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10));
  const size_t row_bytes = spec->RowBytes();
  const uint32_t calibration = (*learner)->calibration_samples_wanted();
  const size_t rows = mode == "train" ? spec->batch_size : 1;
  const std::vector<std::byte> bytes = DrawBytes(row_bytes * std::max<size_t>(rows, calibration));
  if (calibration > 0)
    (*learner)->Calibrate({{bytes.data(), row_bytes * calibration}, calibration});
  const tally::RowBatch batch = {{bytes.data(), row_bytes * rows}, rows};

  if (mode == "train") {
    std::vector<uint32_t> labels(rows);
    for (size_t i = 0; i < rows; ++i) labels[i] = static_cast<uint32_t>(i % spec->classes);
    for (uint32_t i = 0; i < count; ++i) (*learner)->TrainStep(batch, labels);
  } else {
    const auto predictor = (*learner)->MakePredictor();
    std::vector<int32_t> scores(spec->classes);
    for (uint32_t i = 0; i < count; ++i) predictor->Predict(batch, scores);
  }
  std::printf("rows %zu\n", rows);
  return 0;
}
