// Goal: training samples a second in process, without daemon or journal.
// Method: an IDX training set in the order of its first epoch, mini-batches gathered beforehand; a
// few steps to warm up, then as many samples as asked for, round and round; wall time and, for busy
// machines, processor time of all threads.
//
//   train_throughput [OPTION]... IMAGES LABELS [NETWORK [ROWS]]
//
// NETWORK is one of the zoo or a file of a spec (*.yaml) and defaults to pocketnn/mnist-mlp, ROWS
// (of a mini-batch) to what the network has. LABELS "-": IMAGES is a file of CIFAR-10.

#include <getopt.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "core/algorithms/algorithms.h"
#include "core/learner/model_spec_reader.h"
#include "core/parallel/worker_pool.h"
#include "tests/bench/bench_support.h"

namespace {

using tally::bench::ParseCount;

constexpr char kUsage[] =
    "usage: train_throughput [OPTION]... IMAGES LABELS [NETWORK [ROWS]]\n"
    "  --samples N    train so many samples (default: each sample once)\n"
    "  --threads N    on so many threads (default 1)\n"
    "  --print-spec   print the network's spec, with ROWS, and train nothing\n"
    "prints {\"samples_per_second\":..,\"cpu_samples_per_second\":..,\"train_permille\":..}\n";

constexpr size_t kWarmUpSteps = 50;  // less where fewer steps are asked for

struct Options {
  uint64_t samples = 0;
  uint64_t threads = 1;
  bool print_spec = false;
  std::string images;
  std::string labels;
  std::string network = "pocketnn/mnist-mlp";
  uint64_t rows = 0;
};

Options Parse(int argc, char** argv) {
  Options options;
  const option known[] = {{"samples", required_argument, nullptr, 's'},
                          {"threads", required_argument, nullptr, 't'},
                          {"print-spec", no_argument, nullptr, 'p'},
                          {"help", no_argument, nullptr, 'h'},
                          {}};
  for (int name = 0; (name = getopt_long(argc, argv, "", known, nullptr)) != -1;) {
    if (name == 's') {
      options.samples = ParseCount(optarg, kUsage);
    } else if (name == 't') {
      options.threads = ParseCount(optarg, kUsage);
    } else if (name == 'p') {
      options.print_spec = true;
    } else {
      std::fputs(kUsage, name == 'h' ? stdout : stderr);
      std::exit(name == 'h' ? 0 : 64);
    }
  }
  const std::vector<std::string> rest(argv + optind, argv + argc);
  if (rest.size() < 2 || rest.size() > 4) {
    std::fputs(kUsage, stderr);
    std::exit(64);
  }
  options.images = rest[0];
  options.labels = rest[1];
  if (rest.size() > 2) options.network = rest[2];
  if (rest.size() > 3) options.rows = ParseCount(rest[3].c_str(), kUsage);
  return options;
}

// Round and round through `samples`.
class Trainer {
 public:
  Trainer(tally::Learner& learner, const tally::bench::Samples& samples)
      : learner_(learner), samples_(samples), rows_(learner.spec().batch_size) {}

  void Step() {
    if (first_ + rows_ > samples_.count()) first_ = 0;
    correct_ +=
        learner_.TrainStep(samples_.Rows(first_, rows_), samples_.Labels(first_, rows_)).correct;
    first_ += rows_;
  }
  uint64_t correct() const { return correct_; }

 private:
  tally::Learner& learner_;
  const tally::bench::Samples& samples_;
  const size_t rows_;
  size_t first_ = 0;
  uint64_t correct_ = 0;
};

void Train(tally::Learner& learner, const Options& options) {
  const tally::bench::Samples samples = tally::bench::ReadSamples(options.images, options.labels);
  if (const uint32_t wanted = learner.calibration_samples_wanted(); wanted > 0) {
    learner.Calibrate(samples.Rows(0, wanted));
  }
  Trainer trainer(learner, samples);
  const uint64_t rows = learner.spec().batch_size;
  const uint64_t steps =
      std::max<uint64_t>(1, (options.samples > 0 ? options.samples : samples.count()) / rows);
  for (size_t i = 0; i < std::min<uint64_t>(kWarmUpSteps, steps); ++i) trainer.Step();
  const uint64_t correct_before = trainer.correct();
  const int64_t wall_begin = tally::bench::WallNs();
  const int64_t cpu_begin = tally::bench::ProcessCpuNs();
  for (uint64_t i = 0; i < steps; ++i) trainer.Step();
  const int64_t cpu_ns = tally::bench::ProcessCpuNs() - cpu_begin;
  const int64_t wall_ns = tally::bench::WallNs() - wall_begin;
  const double trained = static_cast<double>(steps * rows);
  std::printf(
      "{\"samples_per_second\":%.0f,\"cpu_samples_per_second\":%.0f,\"train_permille\":%.0f}\n",
      trained * 1e9 / static_cast<double>(wall_ns), trained * 1e9 / static_cast<double>(cpu_ns),
      static_cast<double>(trainer.correct() - correct_before) * 1000 / trained);
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = Parse(argc, argv);
  const tally::ModelSpec spec = tally::bench::SpecWithRows(options.network, options.rows);
  if (options.print_spec) {
    std::printf("%s\n", tally::PrettySpec(spec).c_str());
    return 0;
  }
  if (options.threads > tally::WorkerPool::kThreadsMax) {
    std::fputs(kUsage, stderr);
    return 64;
  }
  tally::WorkerPool workers(options.threads);
  const auto learner = tally::MakeLearner(spec, {.workers = &workers});
  if (!learner.ok()) {
    std::fprintf(stderr, "train_throughput: %s\n", learner.status().ToString().c_str());
    return 64;
  }
  Train(**learner, options);
  return 0;
}
